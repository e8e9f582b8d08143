// How a call failed, as this process saw it, told apart from what a handler says of its own accord.
//
// A handler may refuse by throwing a WiringError of its own (`OVERLOADED: none was taken`): its code crosses to the caller.
// So does UNAVAILABLE, which claims nothing about what was done.
// But a handler whose own call to another service failed has begun its work, so the same code would lie about `sent`.
// Every failure that comes out of a call is therefore a CallFailure, and a CallFailure that a handler lets through
// becomes REMOTE.

import { messageOf } from "../../thrown.js";
import { WIRING_ERROR_CODES, WiringError, type WiringErrorCode } from "../errors.js";

/** A WiringError that came out of a call of this process. */
export class CallFailure extends WiringError {}

/** Longest error text that crosses the network, in UTF-16 units: enough for a reason, too little to flood a log. */
const TEXT_MAX = 1_024;

const codes: ReadonlySet<string> = new Set(WIRING_ERROR_CODES);
const isCode = (text: string): text is WiringErrorCode => codes.has(text);

/** What the caller learns of what a handler threw. */
export function handlerFailure(thrown: unknown): CallFailure {
  return refusalOf(thrown) ?? new CallFailure("REMOTE", messageOf(thrown, TEXT_MAX), { cause: thrown });
}

function refusalOf(thrown: unknown): CallFailure | undefined {
  try {
    if (!(thrown instanceof WiringError) || thrown instanceof CallFailure) return undefined;
    if (thrown.sent && thrown.code !== "UNAVAILABLE") return undefined;
    return new CallFailure(thrown.code, textOf(thrown), { cause: thrown });
  } catch {
    return undefined; // It cannot even be looked at, or its code is none of ours.
  }
}

/** The message without its code, which the constructor puts in front again. */
export const textOf = (error: WiringError): string =>
  messageOf(error).replace(`[${error.code}] `, "").slice(0, TEXT_MAX);

/** Failure -> text on the wire. */
export const failureToWire = (failure: WiringError): string => `${failure.code}\n${textOf(failure)}`;

/** Text on the wire -> failure. A code that this version does not know says nothing about `sent`: REMOTE, the cautious one. */
export function failureFromWire(wire: string): CallFailure {
  const end = wire.indexOf("\n");
  const code = wire.slice(0, Math.max(0, end));
  const text = wire.slice(end + 1, end + 1 + TEXT_MAX);
  return isCode(code) ? new CallFailure(code, text) : new CallFailure("REMOTE", `${code}: ${text}`);
}
