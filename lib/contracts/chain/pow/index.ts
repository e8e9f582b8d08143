// The proof-of-work functions by name. A new one: a module beside these, its name in jobs.ts, its unit in target.ts.

import type { ProofOfWorkName } from "../../jobs.js";
import type { ProofOfWork } from "./pow.js";
import { scrypt } from "./scrypt.js";
import { sha256d } from "./sha256d.js";

const FUNCTIONS: Readonly<Record<ProofOfWorkName, ProofOfWork>> = { scrypt, sha256d };

export const proofOfWork = (name: ProofOfWorkName): ProofOfWork => FUNCTIONS[name];
