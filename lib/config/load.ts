// loadConfig: settings from a TOML file, the environment and flags, in that order, checked by one schema.
//
//   file --> environment HEADFRAME__REDIS__URL=... --> flags --set redis.url=... --> zod schema --> settings
//
//   F1. Whatever is wrong, a ConfigError says where it was set, which key, what was found and what is accepted.
//   F2. All mistakes are reported together. Secrets are never repeated.

import { readFileSync } from "node:fs";
import { parse, TomlError } from "smol-toml";
import type { z } from "zod";
import { explainIssues } from "./explain.js";
import { keysAt } from "./schema.js";
import { isTree, type Origins, type Tree } from "./tree.js";

const FILE_BYTES_MAX = 1_048_576;
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
    put(tree, key, text);
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
      throw new ConfigError(`--set ${flag}: expected KEY=VALUE, such as --set redis.url=redis://127.0.0.1:6379`);
    override(flag.slice(0, equals).split("."), flag.slice(equals + 1), "--set");
  }
  const parsed = schema.safeParse(tree);
  if (parsed.success) return parsed.data;
  throw new ConfigError(explainIssues(parsed.error.issues, { schema, tree, origins, file }).join("\n"));
}

function readToml(file: string): Tree {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`cannot read the configuration ${file}: ${why}`, { cause: error });
  }
  if (text.length > FILE_BYTES_MAX)
    throw new ConfigError(`${file}: larger than ${FILE_BYTES_MAX} bytes; is it the right file?`);
  try {
    return parse(text) as Tree;
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const what = error.message.split("\n")[0]?.replace("Invalid TOML document: ", "");
    throw new ConfigError(`${file}:${error.line}:${error.column}: this is no TOML: ${what}\n${error.codeblock}`, {
      cause: error,
    });
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
    at = typeof at === "object" && at !== null ? (at as Tree)[name] : undefined;
  }
  return spelled;
}

function put(tree: Tree, path: readonly string[], text: string): void {
  let at = tree;
  for (const name of path.slice(0, -1)) {
    const next = at[name];
    // A list's entries are reached by their index.
    const inner = isTree(next) || Array.isArray(next) ? (next as Tree) : {};
    at[name] = inner;
    at = inner;
  }
  at[path.at(-1) ?? ""] = value(text);
}

/** Numbers, booleans, arrays and tables as TOML writes them; anything else is text. */
function value(text: string): unknown {
  try {
    return parse(`value = ${text}`).value;
  } catch {
    return text;
  }
}
