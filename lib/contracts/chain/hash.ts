// Bitcoin's double SHA-256.

import * as crypto from "node:crypto";

export const HASH_BYTES = 32;

// crypto.hash (one shot, Node >= 20.12) is several times as fast as a Hash object for short inputs; and the digest as a string that is
// written into a buffer twice as fast as the digest as a new buffer. `binary` has a character a byte.
const digest = (data: Uint8Array): string => crypto.hash("sha256", data, "binary");

/** Between the two rounds; nothing else runs meanwhile. */
const inner = Buffer.alloc(HASH_BYTES);

export function sha256(data: Uint8Array): Buffer {
  const hash = Buffer.allocUnsafe(HASH_BYTES);
  hash.write(digest(data), "latin1");
  return hash;
}

export function sha256d(data: Uint8Array): Buffer {
  const hash = Buffer.allocUnsafe(HASH_BYTES);
  sha256dInto(data, hash, 0);
  return hash;
}

/** The same into the 32 bytes of `target` at `at`; `target` may be `data` itself. */
export function sha256dInto(data: Uint8Array, target: Buffer, at: number): void {
  inner.write(digest(data), "latin1");
  target.write(digest(inner), at, "latin1");
}
