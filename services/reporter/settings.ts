// What an operator sets for the reporter: how long the log is, and what becomes of its end.

import { z } from "zod";

const archive = z
  .union([
    z.strictObject({
      directory: z
        .string()
        .min(1)
        .max(4_096)
        .describe("Folder for files of share records (NDJSON), named by their contents."),
    }),
    z.strictObject({
      command: z
        .array(z.string().min(1).max(4_096))
        .min(1)
        .max(64)
        .describe("Program and arguments; the path of the file is appended. With exit code 0 the file is removed."),
      timeoutMs: z
        .number()
        .int()
        .min(1_000)
        .max(3_600_000)
        .default(60_000)
        .describe("Milliseconds after which the command is killed and considered failed."),
    }),
  ])
  .describe("What is done with records before they leave the log; without it they are dropped.");
export type ArchiveSettings = z.output<typeof archive>;

const spool = z
  .strictObject({
    directory: z
      .string()
      .min(1)
      .max(4_096)
      .optional()
      .describe(
        "Folder on a local disk for shares while Redis is down. All reporters of an installation on this host use the same one. Default: `spool` in runDirectory.",
      ),
    bytesMax: z
      .number()
      .int()
      .min(0)
      .max(1_099_511_627_776)
      .default(268_435_456)
      .describe(
        "Maximum bytes of one reporter's spool, on disk and about as much in memory. A share takes about 200. When it is full, shares are not answered. 0: no spool.",
      ),
    patienceMs: z
      .number()
      .int()
      .min(50)
      .max(60_000)
      .default(200)
      .describe(
        "Milliseconds after which a Redis that does not answer is considered down. A miner may wait twice as long.",
      ),
  })
  .describe("Where shares go while Redis does not take them, so that miners are answered all the same.");

export const settings = z
  .strictObject({
    logLength: z
      .number()
      .int()
      .min(1_000)
      .max(100_000_000)
      .default(1_000_000)
      .describe("Approximate number of records in the share log. A million take about 150 MB in Redis."),
    logLengthMax: z
      .number()
      .int()
      .min(1_000)
      .max(200_000_000)
      .default(4_000_000)
      .describe("While the archive fails, the log grows to this length and then drops its oldest records."),
    spool: spool.prefault({}),
    archive: archive.optional(),
    archiveEveryMs: z
      .number()
      .int()
      .min(50)
      .max(3_600_000)
      .default(10_000)
      .describe("Milliseconds between two checks for records to archive."),
    archiveChunk: z
      .number()
      .int()
      .min(1)
      .max(100_000)
      .default(10_000)
      .describe("Maximum number of records in one archive file."),
    identityTtlMs: z
      .number()
      .int()
      .min(60_000)
      .max(86_400_000)
      .default(3_600_000)
      .describe("Milliseconds after the last share of a height for which duplicates of its shares are detected."),
    workerTtlMs: z
      .number()
      .int()
      .min(3_600_000)
      .max(31_536_000_000)
      .default(7_776_000_000)
      .describe("Milliseconds after which a worker without shares is removed (default 90 days)."),
    workersMax: z
      .number()
      .int()
      .min(1_000)
      .max(10_000_000)
      .default(100_000)
      .describe(
        "Maximum number of workers with totals, about 450 bytes of Redis each. Beyond it, the workers inactive longest are removed.",
      ),
    roundWorkersMax: z
      .number()
      .int()
      .min(1_000)
      .max(10_000_000)
      .default(100_000)
      .describe(
        "Maximum number of workers listed in a round, about 150 bytes of Redis each until roundTtlMs. Beyond it, the workers with the least credit are added up in `difficultyLeftOut`; the log and the archive keep all their shares.",
      ),
    roundTtlMs: z
      .number()
      .int()
      .min(3_600_000)
      .max(31_536_000_000)
      .default(7_776_000_000)
      .describe("Milliseconds after which a closed round is removed (default 90 days)."),
  })
  .refine((it) => it.logLengthMax >= it.logLength, {
    path: ["logLengthMax"],
    error: "must be at least logLength",
  });
export type Settings = z.output<typeof settings>;
