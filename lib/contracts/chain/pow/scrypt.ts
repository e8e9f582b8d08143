// Litecoin's proof of work: scrypt(N=1024, r=1, p=1) with the header as password and salt.

import { scryptSync } from "node:crypto";
import { HASH_BYTES } from "../hash.js";
import type { ProofOfWork } from "./pow.js";
import { SCRYPT, ScryptThreads } from "./scrypt-threads.js";

const threads = new ScryptThreads();

export const scrypt: ProofOfWork = {
  hash: (header) => scryptSync(header, header, HASH_BYTES, SCRYPT),
  hashSoon: (header) => threads.hash(header),
};
