// What an operator sets for the dashboard: where it listens, who may look, where its token lies.

import { z } from "zod";

export const settings = z.strictObject({
  host: z
    .string()
    .min(1)
    .max(255)
    .default("127.0.0.1")
    .describe("Address to listen on. Reading needs no authentication: keep it on loopback, or put a proxy in front."),
  port: z
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(3380)
    .describe("HTTP port. With 0, or if the port is in use: a free one, which `headframe ps` shows."),
  hosts: z
    .array(z.string().min(1).max(255))
    .max(64)
    .default([])
    .describe(
      "Accepted Host headers besides loopback's: `pool.example.net`, with the port unless it is the default one.",
    ),
  tokenFile: z
    .string()
    .min(1)
    .max(4_096)
    .optional()
    .describe(
      "File (mode 600) with the token for swap and drain, created if missing. Default: dashboard.token in the folder of the run.",
    ),
  sampleMs: z
    .number()
    .int()
    .min(200)
    .max(10_000)
    .default(5_000)
    .describe("Milliseconds between two samples for the charts. Redis keeps them for a day."),
});
export type Settings = z.output<typeof settings>;
