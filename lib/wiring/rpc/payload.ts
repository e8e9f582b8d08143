// Payloads: values as MessagePack bytes. Plain maps, no shared records: every message can be read on its own, so one
// encoding serves any number of readers, whatever they have read before.

import { types } from "node:util";
import { Packr, Unpackr } from "msgpackr";

const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false });

/**
 * @returns Bytes that nobody overwrites.
 * @throws {TypeError} when it holds what would silently arrive as something else: a Map as an object, an error without its message ...
 */
export function encodePayload(value: unknown): Uint8Array {
  refuseUnknown(value, 0);
  return packr.pack(value);
}

/** Deeper than any message of a contract; a value that contains itself ends here. */
const DEPTH_MAX = 256;

function refuseUnknown(value: unknown, depth: number): void {
  if (typeof value === "function" || typeof value === "symbol") throw new TypeError(`a ${typeof value} cannot be sent`);
  if (typeof value !== "object" || value === null || types.isUint8Array(value)) return;
  if (depth > DEPTH_MAX)
    throw new TypeError(`a value nested deeper than ${DEPTH_MAX} levels cannot be sent; does it contain itself?`);
  if (Array.isArray(value)) {
    for (const [i, one] of value.entries()) {
      if (one === undefined && !(i in value))
        throw new TypeError("an array with holes cannot be sent; use null or undefined");
      refuseUnknown(one, depth + 1);
    }
    return;
  }
  const tag = lossy(value);
  if (tag) throw new TypeError(`a ${tag} cannot be sent; use plain objects, arrays and bytes (Uint8Array)`);
  if (types.isDate(value)) return;
  for (const one of Object.values(value)) refuseUnknown(one, depth + 1);
}

function lossy(value: object): string | undefined {
  const unknown =
    types.isMap(value) ||
    types.isSet(value) ||
    types.isNativeError(value) ||
    types.isRegExp(value) ||
    types.isPromise(value) ||
    types.isAnyArrayBuffer(value) ||
    types.isArrayBufferView(value) ||
    types.isBoxedPrimitive(value);
  return unknown ? Object.prototype.toString.call(value).slice("[object ".length, -1) : undefined;
}

/**
 * Reads the value that stands in `bytes` from `start` to `end`. Byte strings in it are views of `bytes`.
 *
 * @throws {Error} when it is not one MessagePack value.
 */
export function decodePayload(bytes: Uint8Array, start: number, end: number): unknown {
  return unpackr.unpack(bytes, { start, end });
}
