// Variables in circus.ini: $(circus.wid), $(circus.env.NAME), $(circus.sockets.NAME), also written ((circus.wid)).
//
//   V1. Names are matched as Circus does, without regard to case; an exact match wins.
//   V2. A variable that has no value is an error that names it. (Circus leaves the text in the command, where it is always
//       a mistake that shows much later.) `wid` and `sockets` have values only when a process starts: see `later`.

export interface Variables {
  /** Number of the process within its watcher, counted from 1. */
  readonly wid?: number;
  readonly env: Readonly<Record<string, string>>;
  /** Socket name -> file descriptor in the child. */
  readonly sockets?: ReadonlyMap<string, number>;
}

export class VariableError extends Error {
  override readonly name = "VariableError";

  constructor(readonly variable: string) {
    super(
      `$(${variable}) has no value here; known are circus.wid, circus.env.NAME and circus.sockets.NAME of things that exist`,
    );
  }
}

const VARIABLE = /\$\((circus\.[\w.-]+)\)|\(\((circus\.[\w.-]+)\)\)/gi;

/**
 * @param later Variables of these kinds stay as they are: they get their value when a process starts.
 * @throws {VariableError} for a variable without a value.
 */
export function replaceVariables(text: string, values: Variables, later: readonly ("wid" | "sockets")[] = []): string {
  return text.replace(VARIABLE, (whole: string, dollar: string | undefined, round: string | undefined) => {
    const variable = dollar ?? round ?? "";
    const [, kind = "", ...rest] = variable.split(".");
    if (later.some((name) => name === kind.toLowerCase())) return whole;
    const value = lookUp(kind.toLowerCase(), rest.join("."), values);
    if (value === undefined) throw new VariableError(variable);
    return value;
  });
}

function lookUp(kind: string, name: string, values: Variables): string | undefined {
  if (kind === "wid" && name === "") return values.wid?.toString();
  if (kind === "env") return inRecord(values.env, name);
  if (kind === "sockets") return values.sockets?.get(name.toLowerCase())?.toString();
  return undefined;
}

function inRecord(record: Readonly<Record<string, string>>, name: string): string | undefined {
  if (Object.hasOwn(record, name)) return record[name];
  const same = Object.keys(record).find((key) => key.toLowerCase() === name.toLowerCase());
  return same === undefined ? undefined : record[same];
}

/** `$NAME` (capitals) in a value of an [env] section is taken from the manager's own environment, as Circus does. */
export function expandShellNames(value: string, env: Readonly<Record<string, string>>): string {
  return value.replace(/\$([A-Z][A-Z0-9_]*)/g, (_whole, name: string) => env[name] ?? "");
}
