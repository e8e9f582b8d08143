// Carried: a value of a call within this process, as it would arrive in another one (N1).

import { messageOf } from "../../thrown.js";
import type { Codec } from "../quick/codec.js";
import { encodePayload } from "../rpc/payload.js";
import { readPayload } from "../rpc/validate.js";

export type Carried =
  | { readonly ok: true; readonly value: unknown }
  /** `encoded` false: it would not even have left. */
  | { readonly ok: false; readonly why: string; readonly encoded: boolean };

export function carried(codec: Codec, value: unknown): Carried {
  if (codec.exact) return { ok: true, value };
  let payload: Uint8Array;
  try {
    payload = encodePayload(value);
  } catch (error) {
    return { ok: false, why: messageOf(error), encoded: false };
  }
  const read = readPayload(codec, Buffer.from(payload.buffer, payload.byteOffset, payload.length), 0, payload.length);
  return read.ok ? read : { ...read, encoded: true };
}
