// What an operator sets for the reporter: how long the log is, and what becomes of its end.

import { z } from "zod";

const archive = z
  .union([
    z.strictObject({
      directory: z
        .string()
        .min(1)
        .max(4_096)
        .describe("Files of share records (NDJSON) are put there, named by what they hold."),
    }),
    z.strictObject({
      command: z
        .array(z.string().min(1).max(4_096))
        .min(1)
        .max(64)
        .describe(
          "Program and arguments; the file's path is added. Exit code 0: it has the records and the file is removed.",
        ),
      timeoutMs: z
        .number()
        .int()
        .min(1_000)
        .max(3_600_000)
        .default(60_000)
        .describe("A command that takes longer is ended and counts as failed, in milliseconds."),
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
        "Folder on a disk of this host where shares wait while Redis is away; the same one for all reporters of an installation. Default: `spool` in runDirectory.",
      ),
    bytesMax: z
      .number()
      .int()
      .min(0)
      .max(1_099_511_627_776)
      .default(268_435_456)
      .describe(
        "Of one reporter, on disk and about as much in memory, in bytes; a share takes some 200. Full: shares stay unanswered. 0: no spool.",
      ),
    patienceMs: z
      .number()
      .int()
      .min(50)
      .max(60_000)
      .default(200)
      .describe(
        "A Redis that has not answered after this counts as away, in milliseconds; a miner may wait twice as long, which must stay below a second.",
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
      .describe("Share records that the log keeps, about; a million take some 150 MB in Redis."),
    logLengthMax: z
      .number()
      .int()
      .min(1_000)
      .max(200_000_000)
      .default(4_000_000)
      .describe("With an archive that fails, the log grows to this and then drops its oldest records."),
    spool: spool.prefault({}),
    archive: archive.optional(),
    archiveEveryMs: z
      .number()
      .int()
      .min(50)
      .max(3_600_000)
      .default(10_000)
      .describe("How often is looked for records to archive, in milliseconds."),
    archiveChunk: z
      .number()
      .int()
      .min(1)
      .max(100_000)
      .default(10_000)
      .describe("Records in one archive file, at most."),
    identityTtlMs: z
      .number()
      .int()
      .min(60_000)
      .max(86_400_000)
      .default(3_600_000)
      .describe("How long after the last share of a height duplicates of its shares are known, in milliseconds."),
    workerTtlMs: z
      .number()
      .int()
      .min(3_600_000)
      .max(31_536_000_000)
      .default(7_776_000_000)
      .describe("A worker without shares is forgotten after this, in milliseconds (default 90 days)."),
    workersMax: z
      .number()
      .int()
      .min(1_000)
      .max(10_000_000)
      .default(100_000)
      .describe(
        "Workers with totals, about 450 bytes of Redis each: a name is the miner's word and costs it one share. Beyond it those seen longest ago are forgotten.",
      ),
    roundWorkersMax: z
      .number()
      .int()
      .min(1_000)
      .max(10_000_000)
      .default(100_000)
      .describe(
        "Workers that a round lists, about 150 bytes of Redis each until roundTtlMs. Beyond it those with the least credit are summed up as `difficultyLeftOut`; the log and its archive have all their shares.",
      ),
    roundTtlMs: z
      .number()
      .int()
      .min(3_600_000)
      .max(31_536_000_000)
      .default(7_776_000_000)
      .describe("A closed round is forgotten after this, in milliseconds (default 90 days)."),
  })
  .refine((it) => it.logLengthMax >= it.logLength, {
    path: ["logLengthMax"],
    error: "must be at least logLength",
  });
export type Settings = z.output<typeof settings>;
