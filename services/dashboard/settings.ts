// What an operator sets for the dashboard: where it listens, who may look, where its token lies.

import { z } from "zod";

export const settings = z.strictObject({
  host: z
    .string()
    .min(1)
    .max(255)
    .default("127.0.0.1")
    .describe("Address to listen on. Anybody who reaches it may look: leave it on loopback, or put a proxy in front."),
  port: z
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(3380)
    .describe("HTTP port; 0, or when it is taken: any free one. `headframe ps` shows which."),
  hosts: z
    .array(z.string().min(1).max(255))
    .max(64)
    .default([])
    .describe(
      "Names that browsers may know it by besides loopback's, as in the Host header: `pool.example.net`, with the port unless it is the usual one.",
    ),
  tokenFile: z
    .string()
    .min(1)
    .max(4_096)
    .optional()
    .describe(
      "File (mode 600) with the token for swap and drain, made when it is missing. Default: dashboard.token in the folder of the run.",
    ),
  sampleMs: z
    .number()
    .int()
    .min(200)
    .max(10_000)
    .default(5_000)
    .describe("How often figures are taken for the plots, in milliseconds; they are kept for a day, in Redis."),
});
export type Settings = z.output<typeof settings>;
