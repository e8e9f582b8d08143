// What the demo miner may be told.

import { z } from "zod";
import { proofOfWorkName } from "../../lib/contracts/index.js";

export const settings = z.strictObject({
  host: z.string().min(1).max(255).default("127.0.0.1").describe("address of the pool's Stratum port"),
  port: z.number().int().min(1).max(65_535).default(3333).describe("the pool's Stratum port"),
  rigs: z.number().int().min(1).max(1_000).default(4).describe("number of rigs, each with its own connection"),
  hashesPerSecond: z
    .number()
    .positive()
    .max(1_000)
    .default(0.5)
    .describe("hashes per second and rig; on regtest every second hash is a block"),
  proofOfWork: proofOfWorkName.default("scrypt").describe("the coin's proof-of-work function"),
  account: z.string().min(1).max(64).default("demo").describe("first part of the workers' names, ACCOUNT.rigN"),
});
export type Settings = z.output<typeof settings>;
