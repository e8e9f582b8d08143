// circus.ini as text: sections, keys, values. Knows nothing of what they mean, touches nothing outside.
//
//   text -> parseIni -> Ini -> config.ts (what the keys mean)
//
//   I1. The rules are Circus's own (its StrictConfigParser): a line whose FIRST character is `#` or `;` is a comment; an indented
//       line continues the value above it; the same section twice is one section; the FIRST of two equal keys wins (the
//       second one and its continuation lines are dropped); ` ;` after a value begins a comment; `""` is the empty value.
//   I2. Keys are case-sensitive. `=` and `:` both end a key, whichever comes first.
//   I3. Whatever the text, either an Ini comes back or an IniError that names file and line. Nothing else is ever thrown.

export interface IniEntry {
  readonly value: string;
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
}

/** Section name -> key -> entry, both in the order of their first appearance. */
export type Ini = Map<string, Map<string, IniEntry>>;

/** Larger files are refused: a process manager's file is a page or two. */
export const INI_BYTES_MAX = 1_048_576;

export class IniError extends Error {
  override readonly name = "IniError";

  constructor(
    readonly file: string,
    readonly line: number,
    problem: string,
  ) {
    super(`${file}:${line}: ${problem}`);
  }
}

/**
 * Parses one file's text.
 *
 * @param into Merge into this Ini, whose keys win: how `include` works. A fresh one by default.
 * @throws {IniError} naming the line that is neither a section, a key, a comment nor a continuation.
 */
export function parseIni(text: string, file: string, into: Ini = new Map()): Ini {
  if (Buffer.byteLength(text) > INI_BYTES_MAX) throw new IniError(file, 1, `larger than ${INI_BYTES_MAX} bytes`);
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/); // Editors on Windows begin a file with a byte-order mark.
  let section: Map<string, IniEntry> | undefined;
  let open: string | undefined; // the key that a continuation line belongs to
  for (const [index, line] of lines.entries()) {
    const number = index + 1;
    if (isBlankOrComment(line)) continue;
    if (/^\s/.test(line)) {
      if (section === undefined) throw new IniError(file, number, `indented line before any [section]: ${quote(line)}`);
      if (open !== undefined) continueValue(section, open, line.trim());
      continue;
    }
    const header = /^\[([^\]]+)\]/.exec(line);
    if (header?.[1] !== undefined) {
      section = sectionOf(into, header[1]);
      open = undefined;
      continue;
    }
    if (section === undefined) throw new IniError(file, number, `a key before any [section]: ${quote(line)}`);
    open = addKey(section, line, file, number);
  }
  return into;
}

function isBlankOrComment(line: string): boolean {
  return line.trim() === "" || line.startsWith("#") || line.startsWith(";") || /^rem(\s|$)/i.test(line);
}

function sectionOf(ini: Ini, name: string): Map<string, IniEntry> {
  const known = ini.get(name);
  if (known !== undefined) return known;
  const fresh = new Map<string, IniEntry>();
  ini.set(name, fresh);
  return fresh;
}

/** Returns the key that continuation lines now belong to: none, when the key was there already (I1). */
function addKey(section: Map<string, IniEntry>, line: string, file: string, number: number): string | undefined {
  const parts = /^([^=:]+)[=:](.*)$/.exec(line);
  const key = parts?.[1]?.trim();
  if (key === undefined || key === "")
    throw new IniError(file, number, `expected \`key = value\`, found ${quote(line)}`);
  if (section.has(key)) return undefined;
  section.set(key, { value: cleanValue(parts?.[2] ?? ""), file, line: number });
  return key;
}

function cleanValue(raw: string): string {
  const value = raw.trim();
  const semicolon = value.indexOf(";");
  const beforeComment =
    semicolon > 0 && /\s/.test(value.charAt(semicolon - 1)) ? value.slice(0, semicolon).trim() : value;
  return beforeComment === '""' ? "" : beforeComment;
}

function continueValue(section: Map<string, IniEntry>, key: string, more: string): void {
  const entry = section.get(key);
  if (entry !== undefined) section.set(key, { ...entry, value: `${entry.value}\n${more}` });
}

/** Long or unprintable lines would make the message unreadable. */
function quote(line: string): string {
  return JSON.stringify(line.length > 80 ? `${line.slice(0, 80)}...` : line);
}
