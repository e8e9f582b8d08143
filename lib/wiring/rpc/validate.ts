// The door: bytes from another process become a value of the contract's type, or a reason why not. Never throws.

import type { z } from "zod";
import { messageOf } from "../../thrown.js";
import type { Codec } from "../quick/codec.js";
import { UNSURE } from "../quick/reader.js";
import { decodePayload } from "./payload.js";

export type Read = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly why: string };

/** Reads the payload from `start` to `end` of `frame`, and validates it. */
export function readPayload(codec: Codec, frame: Buffer, start: number, end: number): Read {
  try {
    const value = codec.read(frame, start, end);
    if (value !== UNSURE) return { ok: true, value };
    const parsed = codec.schema.safeParse(decodePayload(frame, start, end));
    return parsed.success ? { ok: true, value: parsed.data } : { ok: false, why: explain(parsed.error) };
  } catch (error) {
    // Bytes that are no MessagePack, or a schema whose own code throws.
    return { ok: false, why: `it cannot be read: ${messageOf(error)}` };
  }
}

/** Only where that is certain. UNSURE: readPayload must be asked, and says why when it cannot be read. */
export function readQuickly(codec: Codec, frame: Buffer, start: number, end: number): unknown {
  try {
    return codec.read(frame, start, end);
  } catch {
    return UNSURE; // A schema whose own code throws.
  }
}

/** Issues named; the first ones say enough. */
const ISSUES_MAX = 3;

/** `events[3].handle: Invalid input: expected number, received string; ...` */
export function explain(error: z.ZodError): string {
  const named = error.issues.slice(0, ISSUES_MAX).map((issue) => {
    const path = issue.path.map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("");
    return `${path.replace(/^\./, "") || "message"}: ${issue.message}`;
  });
  const more = error.issues.length - named.length;
  return named.join("; ") + (more > 0 ? `; and ${more} more` : "");
}
