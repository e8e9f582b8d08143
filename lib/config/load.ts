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

export type Tree = { [key: string]: unknown };

/** Where each overridden key came from, for messages. */
export type Origins = Map<string, string>;

/** @throws {ConfigError} */
export function loadConfig<Schema extends z.ZodType>(schema: Schema, sources: ConfigSources): z.output<Schema> {
  const { file, environment = {}, overrides = [] } = sources;
  const tree = file === undefined ? {} : readToml(file);
  const origins: Origins = new Map();
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith(ENVIRONMENT_PREFIX) || text === undefined) continue;
    const path = name.slice(ENVIRONMENT_PREFIX.length).split("__");
    put(tree, path, text, name, origins);
  }
  for (const override of overrides) {
    const equals = override.indexOf("=");
    if (equals < 1) throw new ConfigError(`--set ${override}: expected KEY=VALUE, such as --set redis.url=redis://127.0.0.1:6379`);
    put(tree, override.slice(0, equals).split("."), override.slice(equals + 1), "--set", origins);
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
  if (text.length > FILE_BYTES_MAX) throw new ConfigError(`${file}: larger than ${FILE_BYTES_MAX} bytes; is it the right file?`);
  try {
    return parse(text) as Tree;
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const what = error.message.split("\n")[0]?.replace("Invalid TOML document: ", "");
    throw new ConfigError(`${file}:${error.line}:${error.column}: this is no TOML: ${what}\n${error.codeblock}`, { cause: error });
  }
}

/** Sets one value, its key spelled as the tree or the schema's camelCase spells it when only the case differs. */
function put(tree: Tree, path: readonly string[], text: string, origin: string, origins: Origins): void {
  let at: Tree = tree;
  const names: string[] = [];
  for (const [depth, part] of path.entries()) {
    const name = Object.keys(at).find((key) => key.toLowerCase() === part.toLowerCase()) ?? part;
    names.push(name);
    if (depth === path.length - 1) {
      at[name] = value(text);
    } else {
      const next = at[name];
      at = at[name] = isTree(next) || Array.isArray(next) ? (next as Tree) : {};
    }
  }
  origins.set(names.join("."), origin);
}

/** Numbers, booleans, arrays and tables as TOML writes them; anything else is text. */
function value(text: string): unknown {
  try {
    return parse(`value = ${text}`)["value"];
  } catch {
    return text;
  }
}

export const isTree = (value: unknown): value is Tree =>
  typeof value === "object" && value !== null && !Array.isArray(value);
