// A configuration to start from: every key with its meaning and its default, written from the schema. Pure.
//
//   schema + what an operator has to say --drawSample--> TOML: those keys are set, all others stand as comments
//
// A key that is added to a settings.ts is in the next file by itself.

import { stringify } from "smol-toml";

/** The part of JSON Schema that zod writes for settings. */
export interface SettingSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, SettingSchema>>;
  readonly items?: SettingSchema;
  readonly additionalProperties?: SettingSchema | boolean;
  readonly anyOf?: readonly SettingSchema[];
  readonly enum?: readonly unknown[];
}

type Table = Readonly<Record<string, unknown>>;

const WIDTH = 100;

/** @param set The keys that are not comments; tables as objects, lists of tables as arrays. */
export function drawSample(schema: SettingSchema, set: Table): string {
  return `${body(schema.properties ?? {}, set, [])
    .join("\n")
    .trim()}\n`;
}

type Properties = Readonly<Record<string, SettingSchema>>;

/** Keys first: in TOML everything after a header belongs to it. */
function body(properties: Properties, set: Table, path: readonly string[]): string[] {
  const all = Object.entries(properties);
  const keys = all.filter(([, it]) => kindOf(it) === "key").flatMap(([name, it]) => key(name, it, set[name]));
  const tables = all.filter(([, it]) => kindOf(it) !== "key");
  return [...keys, ...tables.flatMap(([name, it]) => table([...path, name], it, set[name]))];
}

function kindOf({ properties, items, additionalProperties }: SettingSchema): "key" | "table" | "list" | "named" {
  if (properties) return "table";
  if (items?.properties) return "list";
  return typeof additionalProperties === "object" && additionalProperties.properties ? "named" : "key";
}

function key(name: string, schema: SettingSchema, set: unknown): string[] {
  const choices = schema.enum ? ` One of ${schema.enum.map((it) => JSON.stringify(it)).join(", ")}.` : "";
  const about = comment(`${schema.description ?? ""}${choices}`);
  const value = set ?? schema.default ?? placeholder(schema);
  return [...about, `${set === undefined ? "#" : ""}${name} = ${inline(value)}`];
}

function table(path: readonly string[], schema: SettingSchema, set: unknown): string[] {
  const about = ["", ...comment(schema.description ?? "")];
  if (kindOf(schema) === "list") {
    const entries = Array.isArray(set) ? (set as Table[]) : [];
    const shown = entries.length > 0 ? entries : [undefined];
    const each = shown.flatMap((entry) => section(`[[${path.join(".")}]]`, path, schema.items, entry));
    return [...about, ...each];
  }
  if (kindOf(schema) === "named") {
    const inner = schema.additionalProperties;
    const path_ = [...path, "default"];
    return [...about, ...section(`[${path_.join(".")}]`, path_, typeof inner === "object" ? inner : {}, undefined)];
  }
  return [...about, ...section(`[${path.join(".")}]`, path, schema, isTable(set) ? set : undefined)];
}

/** @param set Undefined: its header is a comment, too. */
function section(header: string, path: readonly string[], schema: SettingSchema | undefined, set: Table | undefined) {
  return [`${set ? "" : "#"}${header}`, ...body(schema?.properties ?? {}, set ?? {}, path)];
}

const isTable = (value: unknown): value is Table =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function placeholder({ type, anyOf }: SettingSchema): unknown {
  const kind = type ?? anyOf?.[0]?.type;
  if (kind === "array") return [];
  if (kind === "boolean") return false;
  if (kind === "number" || kind === "integer") return 0;
  return kind === "object" ? {} : "";
}

/** One value on one line. */
function inline(value: unknown): string {
  if (isTable(value)) {
    const pairs = Object.entries(value).map(([name, it]) => `${name} = ${inline(it)}`);
    return pairs.length === 0 ? "{}" : `{ ${pairs.join(", ")} }`;
  }
  if (Array.isArray(value)) return `[${value.map(inline).join(", ")}]`;
  return stringify({ value })
    .trim()
    .replace(/^value = /, "");
}

function comment(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/).filter(Boolean)) {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length + 1 > WIDTH) lines.push(`# ${word}`);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
