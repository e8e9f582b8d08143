// Reads circus.ini from disk, with what it includes.
//
//   include = a.ini conf/*.ini      include_dir = conf.d      both below [circus], relative to the file that says so
//
//   F1. The main file is read first, so its keys win over included ones, as in Circus; included files don't include.
//   F2. A pattern that leads to no file is an error: Circus only warns, and the watchers are missing in silence.

import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { CircusError, reasonOf } from "./errors.js";
import { globMatches } from "./glob.js";
import { type Ini, parseIni } from "./ini.js";

/** Files one circus.ini may include: a directory of tens is large; hundreds is the wrong directory. */
const INCLUDES_MAX = 100;

/**
 * @throws {IniError} naming file and line; {CircusError} BAD_OPTION when a file cannot be read.
 */
export function readIni(file: string): Ini {
  const ini = parseIni(read(file), file);
  const circus = ini.get("circus");
  const base = path.dirname(path.resolve(file));
  const patterns = [
    ...words(circus?.get("include")?.value),
    ...words(circus?.get("include_dir")?.value).map((directory) => path.join(directory, "*.ini")),
  ];
  const files = patterns.flatMap((pattern) => expand(path.resolve(base, pattern), file));
  if (files.length > INCLUDES_MAX) {
    throw new CircusError("BAD_OPTION", `${file}: includes ${files.length} files; at most ${INCLUDES_MAX} are read`);
  }
  for (const included of files) parseIni(read(included), included, ini);
  return ini;
}

function words(text = ""): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

function expand(pattern: string, from: string): string[] {
  const base = path.basename(pattern);
  if (!/[*?[]/.test(base)) return [pattern];
  const directory = path.dirname(pattern);
  const found = list(directory, from).filter((name) => globMatches(base, name));
  if (found.length === 0) throw new CircusError("BAD_OPTION", `${from}: include ${pattern} leads to no file`);
  return found.sort().map((name) => path.join(directory, name));
}

function list(directory: string, from: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    throw new CircusError("BAD_OPTION", `${from}: cannot read the included directory: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new CircusError("BAD_OPTION", `cannot read ${file}: ${reasonOf(error)}`, { cause: error });
  }
}
