// Bitcoin's proof of work: the block id itself.

import { sha256d as hash } from "../hash.js";
import type { ProofOfWork } from "./pow.js";

export const sha256d: ProofOfWork = { hash, hashSoon: hash };
