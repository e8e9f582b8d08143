// chain: the bytes on which whoever builds a block, judges a share and mines it must agree.

export * from "./hash.js";
export * from "./header.js";
export * from "./merkle.js";
export { proofOfWork } from "./pow/index.js";
export type { ProofOfWork } from "./pow/pow.js";
export * from "./target.js";
