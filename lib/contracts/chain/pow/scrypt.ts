// Litecoin's proof of work: scrypt(N=1024, r=1, p=1) with the header as password and salt.

import { scrypt as scryptOffLoop, scryptSync } from "node:crypto";
import type { ProofOfWork } from "./pow.js";

const PARAMETERS = { N: 1_024, r: 1, p: 1 } as const;

export const scrypt: ProofOfWork = {
  hash: (header) => scryptSync(header, header, 32, PARAMETERS),
  hashSoon: (header) =>
    new Promise((resolve, reject) => {
      scryptOffLoop(header, header, 32, PARAMETERS, (error, hash) => (error ? reject(error) : resolve(hash)));
    }),
};
