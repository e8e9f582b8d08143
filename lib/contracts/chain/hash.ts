// Bitcoin's double SHA-256.

import * as crypto from "node:crypto";

// crypto.hash (one shot, Node >= 20.12) is about three times as fast as a Hash object for short inputs.
export const sha256 = (data: Uint8Array): Buffer => crypto.hash("sha256", data, "buffer");
export const sha256d = (data: Uint8Array): Buffer => sha256(sha256(data));
