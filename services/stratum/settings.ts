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
    .describe("Difficulty of a new connection, before any wish of the miner's or vardiff."),
  floor: toldDifficulty.default(0.001).describe("No connection's difficulty goes below this."),
  ceiling: toldDifficulty
    .default(2 ** 40)
    .describe("No connection's difficulty goes above this; some devices hang above their own maximum."),
});

const vardiff = z.strictObject({
  enabled: z.boolean().default(true).describe("Whether difficulties follow the miners' speed."),
  shareEveryMs: milliseconds.default(10_000).describe("Wanted time between two shares of a connection, in ms."),
  retargetMs: milliseconds
    .default(90_000)
    .describe("How long shares are counted before the difficulty may change, in ms."),
  variance: z
    .number()
    .min(0)
    .max(10)
    .default(0.5)
    .describe("Change only when the wanted difficulty is off by more than this part (0.5: 50 %)."),
});

const agentRule = z.strictObject({
  contains: z.string().min(1).max(128).describe("Applies when the miner's user agent contains this, in any case."),
  start: toldDifficulty.optional().describe("Start difficulty for such miners."),
  floor: toldDifficulty.optional().describe("Lowest difficulty for such miners."),
  ceiling: toldDifficulty.optional().describe("Highest difficulty for such miners."),
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
      .describe("How long an address' lines and shares are counted together, in ms."),
    garbledLinesMax: z
      .number()
      .int()
      .min(1)
      .default(25)
      .describe("Lines that are no requests at all, from an address without one good share, for which it is banned."),
    invalidSharesMin: z
      .number()
      .int()
      .min(1)
      .default(100)
      .describe("Invalid shares of a connection before it may be closed, and of an address before it may be banned."),
    invalidSharesPart: z
      .number()
      .gt(0)
      .max(1)
      .default(0.9)
      .describe(
        "Part of a connection's shares that must be invalid for it to be closed (0.9: 90 %); stale ones do not count. Its address is banned when no other connection there has a good share.",
      ),
  })
  .describe("What is reported to HAProxy's controllers, which refuse the address for a while.");

export const settings = z.strictObject({
  listeners: z
    .record(z.string().min(1).max(64), listener)
    .prefault({ default: {} })
    .describe("Rules by the name of the listener that took a connection; `default` holds for all others."),
  authorize: z
    .union([z.literal("open"), z.strictObject({ pattern: pattern.describe("What a worker name must match.") })])
    .default("open")
    .describe("Who may mine: anybody (`open`), or worker names that match a pattern."),
  workersPerConnection: z
    .number()
    .int()
    .min(1)
    .max(256)
    .default(64)
    .describe(
      "Worker names that one connection may authorize (a proxy authorizes all of its miners on one); 2 kB together.",
    ),
  extranonce1Size: z
    .number()
    .int()
    .min(3)
    .max(8)
    .default(4)
    .describe("Bytes of extranonce1; as the jobmanager builds jobs."),
  extranonce2Size: z
    .number()
    .int()
    .min(2)
    .max(8)
    .default(8)
    .describe(
      "Bytes of extranonce2; as the jobmanager builds jobs. Rental services want at least 6, some firmware takes no more than 8.",
    ),
  versionMask: z
    .number()
    .int()
    .min(0)
    .max(0xffff_ffff)
    .default(0x1fff_e000)
    .describe("Version bits that miners may roll (BIP 310), as a number; each job narrows it further."),
  staleGraceMs: durationMs(0)
    .default(0)
    .describe("How long after a new tip shares for the previous one still count, in ms."),
  timeAheadS: z
    .number()
    .int()
    .min(0)
    .max(7_200)
    .default(7_200)
    .describe("How far a share's header time may lie after its job's, in seconds."),
  keepaliveMs: milliseconds
    .max(80_000)
    .default(40_000)
    .describe("A job is told again when none was for this long, in ms: cgminer drops a silent pool after 90 s."),
  subscribeTimeoutMs: milliseconds
    .default(60_000)
    .describe("A connection without mining.subscribe is closed after this, in ms."),
  authorizeTimeoutMs: milliseconds
    .default(120_000)
    .describe("A connection without an authorized worker is closed after this, in ms."),
  garbledLinesMax: z
    .number()
    .int()
    .min(1)
    .default(5)
    .describe("Lines that are no requests at all which a connection may send before it is closed."),
  conduct: conduct.prefault({}),
  noWorkDisconnectMs: milliseconds
    .min(5_000)
    .default(60_000)
    .describe("When no coin daemon has answered for this long, miners are let go so that they fail over, in ms."),
  noWorkClosesPerSecond: z
    .number()
    .int()
    .min(1)
    .default(100)
    .describe("How many connections a second are let go then, so that the next pool is not stormed."),
  queueBytesMax: z
    .number()
    .int()
    .min(65_536)
    .default(64 * 1_024 * 1_024)
    .describe("Bytes of lines being worked on; beyond, edges are told OVERLOADED and stop reading their clients."),
  sharesWaitingMax: z
    .number()
    .int()
    .min(1_000)
    .default(100_000)
    .describe("Shares waiting to be recorded; beyond, edges are told OVERLOADED."),
});

export type Settings = z.output<typeof settings>;
export type ListenerRules = z.output<typeof listener>;
