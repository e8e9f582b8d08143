// Payloads: values as MessagePack bytes. Plain maps, no shared records: every message can be read on its own, so one
// encoding serves any number of readers, whatever they have read before.

import { Packr, Unpackr } from "msgpackr";

const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false });

/** @returns Bytes that nobody overwrites. */
export const encodePayload = (value: unknown): Uint8Array => packr.pack(value);

/**
 * Reads the value that stands in `bytes` from `start` to `end`. Byte strings in it are views of `bytes`.
 *
 * @throws {Error} when it is not one MessagePack value.
 */
export function decodePayload(bytes: Uint8Array, start: number, end: number): unknown {
  return unpackr.unpack(bytes, { start, end });
}
