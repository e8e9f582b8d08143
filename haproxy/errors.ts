// What can go wrong with HAProxy, so that a program can tell it apart.

export type HaproxyErrorCode =
  /** Its configuration was refused; the message says which line and why. */
  | "BAD_CONFIG"
  /** The program is not there, or cannot be run. */
  | "NO_PROGRAM"
  /** Nobody answers at its socket. */
  | "NOT_RUNNING"
  /** It did not answer, or was not ready, in time. */
  | "TIMEOUT"
  /** It refused a runtime command. */
  | "REFUSED"
  /** Its answer ended early; whether the command was run is unknown. */
  | "CUT_OFF";

export class HaproxyError extends Error {
  override readonly name = "HaproxyError";

  constructor(
    readonly code: HaproxyErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(`[${code}] ${message}`, options);
  }
}
