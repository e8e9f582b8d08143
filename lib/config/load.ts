// loadConfig: settings from a TOML file, the environment and flags, in that order, checked by one schema.
//
//   file --> environment HEADFRAME__REDIS__URL=... --> flags --set redis.url=... --> zod schema --> settings
//
// Whatever is wrong, a ConfigError says where it was set, which key, what was found and what is accepted. All mistakes are
// reported together. No message repeats a value that may be a secret, nor a line of the file, which may hold one.

import { readFileSync, statSync } from "node:fs";
import { parse, TomlError } from "smol-toml";
import type { z } from "zod";
import { maskText } from "../core/secrets.js";
import { messageOf } from "../thrown.js";
import { explainIssues } from "./explain.js";
import { keysAt, schemaAt } from "./schema.js";
import { isTree, type Origins, type Tree } from "./tree.js";

const FILE_BYTES_MAX = 1_048_576;
/** No list of the configuration is longer; a wrong index must not allocate what it names. */
const LIST_ENTRIES_MAX = 1_000;
/** Keys that reach the prototype of every object. */
const FORBIDDEN_KEYS: readonly string[] = ["__proto__", "constructor", "prototype"];
const ENVIRONMENT_PREFIX = "HEADFRAME__";

export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

export interface ConfigSources {
  /** Path of a TOML file; without one, defaults and overrides must do. */
  readonly file?: string | undefined;
  /** Usually process.env. `HEADFRAME__A__B=1` sets a.b; names are matched without regard to case. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** `a.b=1`, as given to --set. */
  readonly overrides?: readonly string[] | undefined;
}

/** @throws {ConfigError} */
export function loadConfig<Schema extends z.ZodType>(schema: Schema, sources: ConfigSources): z.output<Schema> {
  const { file, environment = {}, overrides = [] } = sources;
  const tree = file === undefined ? {} : readToml(file);
  const origins: Origins = new Map();
  const override = (path: readonly string[], text: string, origin: string) => {
    const key = spell(schema, tree, path);
    put(tree, key, readValue(schemaAt(schema, key), text), origin);
    origins.set(key.join("."), origin);
  };
  for (const [name, text] of Object.entries(environment)) {
    if (name.startsWith(ENVIRONMENT_PREFIX) && text !== undefined) {
      override(name.slice(ENVIRONMENT_PREFIX.length).split("__"), text, name);
    }
  }
  for (const flag of overrides) {
    const equals = flag.indexOf("=");
    if (equals < 1)
      throw new ConfigError(
        `--set ${maskText(flag)}: expected KEY=VALUE, such as --set redis.url=redis://127.0.0.1:6379`,
      );
    override(flag.slice(0, equals).split("."), flag.slice(equals + 1), "--set");
  }
  const parsed = schema.safeParse(tree);
  if (parsed.success) return parsed.data;
  throw new ConfigError(explainIssues(parsed.error.issues, { schema, tree, origins, file }).join("\n"));
}

function readToml(file: string): Tree {
  let text: string;
  try {
    const { size } = statSync(file);
    if (size > FILE_BYTES_MAX)
      throw new ConfigError(`${file}: ${size} bytes; at most ${FILE_BYTES_MAX} are read. Is it the right file?`);
    text = readFileSync(file, "utf8").replace(/^\uFEFF/, ""); // Some editors begin a file with a byte-order mark.
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const why = messageOf(error);
    throw new ConfigError(`cannot read the configuration ${file}: ${why}`, { cause: error });
  }
  try {
    return parse(text) as Tree;
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // Neither the parser's code block nor the parser's error as the cause: both quote lines of the file.
    const what = error.message.split("\n")[0]?.replace("Invalid TOML document: ", "");
    throw new ConfigError(
      `${file}:${error.line}:${error.column}: not valid TOML: ${what} (the line is not shown: it may hold a password)`,
    );
  }
}

/** The path as the schema or the tree spells it, when only upper and lower case differ: environments often shout. */
function spell(schema: z.ZodType, tree: Tree, path: readonly string[]): string[] {
  const spelled: string[] = [];
  let at: unknown = tree;
  for (const part of path) {
    const known = [...keysAt(schema, spelled), ...(isTree(at) ? Object.keys(at) : [])];
    const name = known.find((key) => key.toLowerCase() === part.toLowerCase()) ?? part;
    spelled.push(name);
    at = own(at, name);
  }
  return spelled;
}

const own = (at: unknown, name: string): unknown =>
  typeof at === "object" && at !== null && Object.hasOwn(at, name) ? (at as Tree)[name] : undefined;

function put(tree: Tree, path: readonly string[], value: unknown, origin: string): void {
  let at = tree;
  path.forEach((name, depth) => {
    checkKey(at, name, path.slice(0, depth).join("."), origin);
    if (depth === path.length - 1) {
      at[name] = value;
      return;
    }
    const next = own(at, name);
    // An entry of a list is reached by its index.
    const inner = isTree(next) || Array.isArray(next) ? (next as Tree) : {};
    at[name] = inner;
    at = inner;
  });
}

/** @throws {ConfigError} for a key that no table or list can have. */
function checkKey(at: Tree, name: string, table: string, origin: string): void {
  const key = table === "" ? name : `${table}.${name}`;
  if (name === "" || FORBIDDEN_KEYS.includes(name))
    throw new ConfigError(`${origin}: ${key}: no setting has this name`);
  if (!Array.isArray(at)) return;
  const next = at.length;
  if (!/^\d{1,4}$/.test(name) || Number(name) > next || next >= LIST_ENTRIES_MAX) {
    throw new ConfigError(
      `${origin}: ${key}: ${table} is a list of ${next}; expected an index from 0 to ${next} (at most ${LIST_ENTRIES_MAX} entries)`,
    );
  }
}

/**
 * A value given as text: what TOML reads in it (a number, boolean, array, table or quoted string) if the key accepts that, else the
 * text itself. So a password of digits stays text, and nothing after ` #` or a line end is dropped.
 */
function readValue(schema: z.ZodType | undefined, text: string): unknown {
  const parsed = parseValue(text);
  if (parsed === undefined) return text;
  const fits = (value: unknown) => schema === undefined || schema.safeParse(value).success;
  return fits(parsed) || !fits(text) ? parsed : text;
}

/** Undefined unless the whole text is one TOML value: inside a list, a comment or a line end would cut off the second entry. */
function parseValue(text: string): unknown {
  try {
    const { list, ...others } = parse(`list = [${text}, 0]`);
    const whole = Array.isArray(list) && list.length === 2 && list[1] === 0 && Object.keys(others).length === 0;
    return whole ? list[0] : undefined;
  } catch {
    return undefined; // Not TOML, so text.
  }
}
