// What can go wrong in the process manager, told apart by a program: one class, a closed list of codes.
//
// `errno` is the number that Circus's control protocol gives the same failure (see control.ts).

import { messageOf } from "../lib/thrown.js";

const CODES = {
  /** circus.ini, or an option that came over the control socket, is not acceptable. */
  BAD_OPTION: { errno: 3 },
  /** No watcher, process or option of that name. */
  NOT_FOUND: { errno: 3 },
  /** The message lacks a property, or one has the wrong type. */
  BAD_MESSAGE: { errno: 3 },
  /** The operating system refused: the program does not exist, the directory may not be read, ... */
  OS: { errno: 4 },
  /** The command cannot be done in the present state. */
  REFUSED: { errno: 5 },
  /** A process did not become ready in its time; the message carries the last lines of its output. */
  NOT_READY: { errno: 5 },
  /** A process died too often; the watcher is stopped until told otherwise. */
  GAVE_UP: { errno: 5 },
  /** Another live manager owns the run directory. */
  TAKEN: { errno: 5 },
} as const;

export type CircusErrorCode = keyof typeof CODES;

export class CircusError extends Error {
  override readonly name = "CircusError";

  constructor(
    readonly code: CircusErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(`[${code}] ${message}`, options);
  }

  get errno(): number {
    return CODES[this.code].errno;
  }
}

/** Any thrown value as one line of text. */
export function reasonOf(error: unknown): string {
  return messageOf(error);
}
