// What the demo miner may be told.

import { z } from "zod";
import { proofOfWorkName } from "../../lib/contracts/index.js";

export const settings = z.strictObject({
  host: z.string().min(1).max(255).default("127.0.0.1").describe("Address of the pool's Stratum port."),
  port: z.number().int().min(1).max(65_535).default(3333).describe("Stratum port of the pool."),
  rigs: z.number().int().min(1).max(1_000).default(4).describe("Number of rigs, each with its own connection."),
  hashesPerSecond: z
    .number()
    .positive()
    .max(1_000)
    .default(0.5)
    .describe("Hashes per second and rig. On regtest every second hash is a block."),
  proofOfWork: proofOfWorkName.default("scrypt").describe("Proof-of-work function of the coin."),
  account: z.string().min(1).max(64).default("demo").describe("First part of the worker names, ACCOUNT.rigN."),
});
export type Settings = z.output<typeof settings>;
