// Settings of the stratum service: what a miner is given and held to, by the listener that took its connection.

import { z } from "zod";
import { durationMs } from "../../lib/wiring/index.js";

const positive = z.number().positive().finite();
/** L1 of limits.ts. */
const toldDifficulty = positive.refine(
  (value) => value < 1 || Number.isInteger(value),
  "expected a whole number, or one below 1: widespread firmware cuts fractions off",
);
const milliseconds = durationMs();

const difficulty = z.strictObject({
  start: toldDifficulty
    .default(16)
    .describe("Difficulty of a new connection, before the miner asks for another one or vardiff changes it."),
  floor: toldDifficulty.default(0.001).describe("Minimum difficulty."),
  ceiling: toldDifficulty.default(2 ** 40).describe("Maximum difficulty. Some devices hang above their own maximum."),
});

const vardiff = z.strictObject({
  enabled: z.boolean().default(true).describe("Adapt difficulties to the miners' hashrates (vardiff)."),
  shareEveryMs: milliseconds
    .default(10_000)
    .describe("Target time between two shares of a connection, in milliseconds."),
  retargetMs: milliseconds
    .default(90_000)
    .describe("Milliseconds for which shares are counted before the difficulty may change."),
  variance: z
    .number()
    .min(0)
    .max(10)
    .default(0.5)
    .describe("Change the difficulty only if it is off by more than this fraction (0.5: 50 %)."),
});

const agentRule = z.strictObject({
  contains: z
    .string()
    .min(1)
    .max(128)
    .describe("The rule applies if the miner's user agent contains this text; case is ignored."),
  start: toldDifficulty.optional().describe("Initial difficulty of these miners."),
  floor: toldDifficulty.optional().describe("Minimum difficulty of these miners."),
  ceiling: toldDifficulty.optional().describe("Maximum difficulty of these miners."),
});

const listener = z
  .strictObject({
    difficulty: difficulty.prefault({}).describe("Start and limits of share difficulty."),
    vardiff: vardiff.prefault({}).describe("How difficulties follow the miners' speed."),
    agents: z
      .array(agentRule)
      .max(64)
      .default([])
      .describe("Exceptions by user agent; the first rule that applies counts."),
  })
  .refine(({ difficulty: { floor, start, ceiling } }) => floor <= start && start <= ceiling, {
    message: "difficulty needs floor <= start <= ceiling",
    path: ["difficulty"],
  });

const pattern = z.string().max(256).refine(compiles, "must be a regular expression");

function compiles(source: string): boolean {
  try {
    return new RegExp(source) instanceof RegExp;
  } catch {
    return false;
  }
}

const conduct = z
  .strictObject({
    windowMs: milliseconds
      .default(600_000)
      .describe("Milliseconds over which malformed lines and shares of an address are counted."),
    garbledLinesMax: z
      .number()
      .int()
      .min(1)
      .default(25)
      .describe("Number of malformed lines for which an address without a good share is banned."),
    invalidSharesMin: z
      .number()
      .int()
      .min(1)
      .default(100)
      .describe("Minimum number of invalid shares before a connection is closed, or an address banned."),
    invalidSharesPart: z
      .number()
      .gt(0)
      .max(1)
      .default(0.9)
      .describe(
        "Fraction of invalid shares above which a connection is closed (0.9: 90 %); stale shares do not count. Its address is banned if no other connection from there has a good share.",
      ),
  })
  .describe("What is reported to HAProxy's controllers, which refuse the address for a while.");

export const settings = z.strictObject({
  listeners: z
    .record(z.string().min(1).max(64), listener)
    .prefault({ default: {} })
    .describe("Rules by the name of the listener that took a connection; `default` holds for all others."),
  authorize: z
    .union([
      z.literal("open"),
      z.strictObject({ pattern: pattern.describe("Regular expression that a worker name must match.") }),
    ])
    .default("open")
    .describe("Who may mine: everybody (`open`), or worker names that match a pattern."),
  workersPerConnection: z
    .number()
    .int()
    .min(1)
    .max(256)
    .default(64)
    .describe(
      "Maximum number of worker names per connection (a proxy authorizes all its miners on one), together at most 2 kB.",
    ),
  extranonce1Size: z
    .number()
    .int()
    .min(3)
    .max(8)
    .default(4)
    .describe("Bytes of extranonce1. Must equal the jobmanager's."),
  extranonce2Size: z
    .number()
    .int()
    .min(2)
    .max(8)
    .default(8)
    .describe(
      "Bytes of extranonce2. Must equal the jobmanager's. Rental services need at least 6, some firmware accepts at most 8.",
    ),
  versionMask: z
    .number()
    .int()
    .min(0)
    .max(0xffff_ffff)
    .default(0x1fff_e000)
    .describe(
      "Mask of the version bits that miners may roll (BIP 310), as a number. Each job may restrict it further.",
    ),
  staleGraceMs: durationMs(0)
    .default(0)
    .describe("Milliseconds after a new tip in which shares for the previous one are still accepted."),
  timeAheadS: z
    .number()
    .int()
    .min(0)
    .max(7_200)
    .default(7_200)
    .describe("Maximum seconds by which a share's header time may exceed its job's."),
  keepaliveMs: milliseconds
    .max(80_000)
    .default(40_000)
    .describe(
      "Milliseconds without a new job after which the current one is sent again; cgminer disconnects after 90 s without one.",
    ),
  subscribeTimeoutMs: milliseconds
    .default(60_000)
    .describe("Milliseconds after which a connection without mining.subscribe is closed."),
  authorizeTimeoutMs: milliseconds
    .default(120_000)
    .describe("Milliseconds after which a connection without an authorized worker is closed."),
  garbledLinesMax: z
    .number()
    .int()
    .min(1)
    .default(5)
    .describe("Number of malformed lines (not a JSON request) after which a connection is closed."),
  conduct: conduct.prefault({}),
  noWorkDisconnectMs: milliseconds
    .min(5_000)
    .default(60_000)
    .describe(
      "Milliseconds without an answer from any coin daemon after which miners are disconnected, so that they fail over.",
    ),
  noWorkClosesPerSecond: z
    .number()
    .int()
    .min(1)
    .default(100)
    .describe("Connections closed per second in that case, so that the backup pool is not flooded."),
  queueBytesMax: z
    .number()
    .int()
    .min(65_536)
    .default(64 * 1_024 * 1_024)
    .describe(
      "Maximum bytes of lines being processed. Beyond it, stratum answers OVERLOADED and edges stop reading from clients.",
    ),
  sharesWaitingMax: z
    .number()
    .int()
    .min(1_000)
    .default(100_000)
    .describe("Maximum number of shares waiting to be recorded. Beyond it, stratum answers OVERLOADED."),
});

export type Settings = z.output<typeof settings>;
export type ListenerRules = z.output<typeof listener>;
