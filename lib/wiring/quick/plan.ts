// Plan: what a schema demands, in the few words that reader.ts and writer.ts make straight code from.
//
//   z.object({ n: z.number().int(), text: z.string().max(200) }) --> { kind: "object", fields: [n integer, text string <= 200] }
//
//   P1. A plan never demands less than its schema: a kind, a check or a flag that is not known here becomes `other`, which
//       is read by the schema itself.
//   P2. It may demand more (the fields in the schema's order, the usual encodings): what does not fit it is not refused but left
//       to the schema.

import type { z } from "zod";

export interface Bounds {
  readonly min: number;
  readonly max: number;
}

export interface Field {
  readonly name: string;
  readonly plan: Plan;
  readonly optional: boolean;
  /** The schema fills it in when it is absent. */
  readonly preset: boolean;
}

export interface Option {
  readonly word: string;
  /** Beside the one that tells the options apart, which comes first. */
  readonly fields: readonly Field[];
}

/** `value OP limit` */
export interface Comparison {
  readonly op: ">" | ">=" | "<" | "<=";
  readonly limit: number;
}

export type Plan =
  | { readonly kind: "string"; readonly length: Bounds; readonly patterns: readonly RegExp[] }
  | { readonly kind: "number"; readonly integer: boolean; readonly comparisons: readonly Comparison[] }
  | { readonly kind: "boolean" }
  /** One of these strings. */
  | { readonly kind: "words"; readonly words: readonly string[] }
  /** Bytes that pass a test of the contract's own. */
  | { readonly kind: "bytes"; readonly test: (value: unknown) => unknown }
  | { readonly kind: "array"; readonly element: Plan; readonly length: Bounds }
  | { readonly kind: "object"; readonly fields: readonly Field[] }
  /** Objects told apart by the word in their first field. */
  | { readonly kind: "choice"; readonly by: string; readonly options: readonly Option[] }
  | { readonly kind: "nullable"; readonly inner: Plan }
  | { readonly kind: "other"; readonly schema: z.ZodType };

/** What a schema says of itself. Read with care: every field may be anything. */
type Def = Readonly<Record<string, unknown>>;

const UNBOUNDED: Bounds = { min: 0, max: Number.POSITIVE_INFINITY };
/** More than 15 fields would need another map header; the hot contracts stay below. */
const FIELDS_MAX = 15;
/** Longer names would need another string header. */
const NAME_MAX = 31;

export function planOf(schema: z.ZodType): Plan {
  return known(schema) ?? { kind: "other", schema };
}

const defOf = (schema: z.ZodType): Def => schema._zod.def as unknown as Def;

function known(schema: z.ZodType): Plan | undefined {
  const def = defOf(schema);
  switch (def.type) {
    case "string":
      return stringPlan(def);
    case "number":
      return numberPlan(def);
    case "boolean":
      return plain(def) ? { kind: "boolean" } : undefined;
    case "literal":
      return wordsPlan(def, def.values);
    case "enum":
      return wordsPlan(def, Object.values((def.entries ?? {}) as object));
    case "custom":
      return plain(def) && !ofOtherClass(schema)
        ? { kind: "bytes", test: def.fn as (value: unknown) => unknown }
        : undefined;
    case "array":
      return arrayPlan(def);
    case "object":
      return objectPlan(def);
    case "union":
      return choicePlan(def);
    case "nullable":
      return plain(def) ? { kind: "nullable", inner: planOf(def.innerType as z.ZodType) } : undefined;
    case "default": // When it is there; one that is not is left to the schema.
      return plain(def) ? known(def.innerType as z.ZodType) : undefined;
    default:
      return undefined;
  }
}

/** z.instanceof() of something else than bytes. */
function ofOtherClass(schema: z.ZodType): boolean {
  const { Class } = schema._zod.bag as { readonly Class?: { readonly name?: unknown } };
  return Class !== undefined && Class.name !== "Uint8Array" && Class.name !== "Buffer";
}

/** No checks and nothing changed on the way. */
const plain = (def: Def): boolean => checksOf(def).length === 0 && !def.coerce;

function checksOf(def: Def): Def[] {
  return ((def.checks ?? []) as { _zod: { def: Def } }[]).map((check) => check._zod.def);
}

/** Length checks taken out of `checks`; undefined when another one is left. */
function boundsOf(checks: readonly Def[]): Bounds | undefined {
  let { min, max } = UNBOUNDED;
  for (const { check, minimum, maximum, length } of checks) {
    if (check === "min_length") min = Math.max(min, Number(minimum));
    else if (check === "max_length") max = Math.min(max, Number(maximum));
    else if (check === "length_equals") [min, max] = [Math.max(min, Number(length)), Math.min(max, Number(length))];
    else return undefined;
  }
  return { min, max };
}

function stringPlan(def: Def): Plan | undefined {
  if (def.coerce || def.format !== undefined) return undefined;
  const checks = checksOf(def);
  const isPattern = ({ check, format, pattern }: Def) =>
    check === "string_format" && format === "regex" && pattern instanceof RegExp;
  const length = boundsOf(checks.filter((check) => !isPattern(check)));
  const patterns = checks.filter(isPattern).map(({ pattern }) => pattern as RegExp);
  return length && { kind: "string", length, patterns };
}

function numberPlan(def: Def): Plan | undefined {
  if (def.coerce || (def.format !== undefined && def.format !== "safeint")) return undefined;
  let integer = def.format === "safeint";
  const comparisons: Comparison[] = [];
  for (const { check, format, value, inclusive } of checksOf(def)) {
    if (check === "number_format" && format === "safeint") integer = true;
    else if (check === "greater_than" && typeof value === "number")
      comparisons.push({ op: inclusive ? ">=" : ">", limit: value });
    else if (check === "less_than" && typeof value === "number")
      comparisons.push({ op: inclusive ? "<=" : "<", limit: value });
    else return undefined;
  }
  return { kind: "number", integer, comparisons };
}

function wordsPlan(def: Def, values: unknown): Plan | undefined {
  const words = Array.isArray(values) ? values : [];
  const usable = plain(def) && words.length > 0 && words.every((word) => typeof word === "string" && short(word));
  return usable ? { kind: "words", words } : undefined;
}

function arrayPlan(def: Def): Plan | undefined {
  const length = boundsOf(checksOf(def));
  return length && { kind: "array", element: planOf(def.element as z.ZodType), length };
}

function objectPlan(def: Def): Plan | undefined {
  const fields =
    plain(def) && def.catchall === undefined ? fieldsOf(def.shape as Record<string, z.ZodType>) : undefined;
  return fields && { kind: "object", fields };
}

function fieldsOf(shape: Readonly<Record<string, z.ZodType>>): Field[] | undefined {
  const entries = Object.entries(shape);
  if (entries.length > FIELDS_MAX || entries.some(([name]) => !short(name) || name === "__proto__")) return undefined;
  return entries.map(([name, schema]) => {
    const def = defOf(schema);
    const optional = def.type === "optional" && plain(def);
    return {
      name,
      optional,
      preset: def.type === "default",
      plan: planOf(optional ? (def.innerType as z.ZodType) : schema),
    };
  });
}

function choicePlan(def: Def): Plan | undefined {
  const by = def.discriminator;
  if (typeof by !== "string" || !plain(def) || def.unionFallback) return undefined;
  const options: Option[] = [];
  for (const schema of def.options as z.ZodType[]) {
    const plan = known(schema);
    if (plan?.kind !== "object") return undefined;
    const [first, ...fields] = plan.fields;
    if (first?.name !== by || first.optional || first.plan.kind !== "words") return undefined;
    for (const word of first.plan.words) options.push({ word, fields });
  }
  return { kind: "choice", by, options };
}

/**
 * Whether all of it is known: half a value is of no use to a writer.
 *
 * @param presets Count fields that the schema fills in as known.
 */
export function knownWholly(plan: Plan, presets: boolean): boolean {
  const known = (inner: Plan) => knownWholly(inner, presets);
  const allKnown = (fields: readonly Field[]) =>
    fields.every((field) => (presets || !field.preset) && known(field.plan));
  switch (plan.kind) {
    case "other":
      return false;
    case "array":
      return known(plan.element);
    case "nullable":
      return known(plan.inner);
    case "object":
      return allKnown(plan.fields);
    case "choice":
      return plan.options.every(({ fields }) => allKnown(fields));
    default:
      return true;
  }
}

const short = (text: string): boolean => text.length > 0 && Buffer.byteLength(text) <= NAME_MAX;
