// Out to Redis: the share log and everything that is counted from it.
//
//   in-shares --record, reject, block--> scripts/* --> Redis <-- readings (out-readings.ts)
//
// Every failure becomes an error that says whether trying again may help: UNAVAILABLE when Redis is away, is loading, is full or
// is no master; anything else is a bug and stays what it is.

import { randomBytes } from "node:crypto";
import { z } from "zod";
import type { Claim, ShareOutcome } from "../../lib/contracts/index.js";
import { messageOf } from "../../lib/thrown.js";
import { type House, type ScriptArgument, WiringError } from "../../lib/wiring/index.js";
import { type ShareKeys, shareKeys } from "./keys.js";
import {
  type BlockOutcome,
  type BlockReport,
  type CreditedShare,
  type Given,
  type Ledger,
  MARK_TTL_MS,
  type Reject,
  type SpoolMark,
  type Turn,
} from "./ports.js";
import { block } from "./scripts/block.js";
import { PackedShares, record } from "./scripts/record.js";
import { reject } from "./scripts/reject.js";
import type { Settings } from "./settings.js";
import { COARSE, FINE } from "./window.js";

export type SharesRedis = House["redis"]["shares"];

export class ShareStore implements Ledger {
  readonly keys: ShareKeys;
  readonly process = randomBytes(8).toString("hex");

  constructor(
    private readonly redis: SharesRedis,
    cluster: string,
    private readonly settings: Settings,
  ) {
    this.keys = shareKeys(cluster);
  }

  /**
   * Records each identity once. One script call.
   *
   * @param turn Its place among this process' calls.
   * @param mark The shares come from a spool: what this spool had recorded before is left out.
   * @param given How they were given before: if that was the last turn that Redis took, it has them.
   * @returns an outcome for each share, in order.
   * @throws {WiringError} UNAVAILABLE: some or all may have been recorded; recording them again is harmless.
   */
  async record(
    shares: readonly CreditedShare[],
    turn?: Turn,
    mark?: SpoolMark,
    given?: Given,
  ): Promise<ShareOutcome[]> {
    const { log, totals, workers, round, prefix } = this.keys;
    const { archive, logLength, logLengthMax, identityTtlMs, workerTtlMs } = this.settings;
    const length = archive ? logLengthMax : logLength; // With an archive it is the archiver that trims to logLength.
    const args: ScriptArgument[] = [prefix, length, identityTtlMs, workerTtlMs];
    for (const { widthMs, keepMs } of [FINE, COARSE]) args.push(widthMs, keepMs);
    args.push(MARK_TTL_MS);
    const packed = new PackedShares(shares.length);
    shares.forEach((credited, i) => {
      packed.add(credited, mark?.numbers[i] ?? 0);
    });
    args.push(packed.bytes, turn?.after ?? 0, turn?.number ?? 0);
    args.push(this.settings.workersMax, this.settings.roundWorkersMax, given?.turn ?? 0);
    const keys = [log, totals, workers, round, this.keys.spool(mark?.spool ?? "none"), this.keys.turn(this.process)];
    if (given) keys.push(this.keys.turn(given.process));
    const letters = z
      .string()
      .length(shares.length)
      .parse(await available("record shares", record.run(this.redis, keys, args)));
    return Array.from(letters, (letter) => OUTCOMES[letter] ?? "duplicate");
  }

  /** @throws {WiringError} UNAVAILABLE. */
  async lastTurn(): Promise<number> {
    return Number((await available("ask what it has", this.redis.get(this.keys.turn(this.process)))) ?? 0);
  }

  /** `connection|line` of whoever brought these identities into the log; null: nobody. @throws {WiringError} UNAVAILABLE. */
  async claimants(claims: readonly Pick<Claim, "identity" | "height">[]): Promise<(string | null)[]> {
    const asking = claims.map((it) => this.redis.hget(this.keys.seen(it.height), bytesOf(it.identity))); // One pipeline.
    return available("look up shares", Promise.all(asking));
  }

  /** @throws {WiringError} UNAVAILABLE: they may have been counted. */
  async reject(rejects: readonly Reject[]): Promise<void> {
    const args: ScriptArgument[] = [this.keys.worker("")];
    for (const { worker, reason, count } of rejects) args.push(worker, reason, count);
    await available("count rejects", reject.run(this.redis, [this.keys.totals], args));
  }

  /**
   * Records a block's status; the first accepted one closes the open round.
   *
   * @returns whether anything changed, and the number of the round that this block closed.
   * @throws {WiringError} UNAVAILABLE: it may have been recorded; recording it again is harmless.
   */
  async block(it: BlockReport, turn?: Turn): Promise<BlockOutcome> {
    const { blocks, round, totals } = this.keys;
    const args = [
      this.keys.roundPrefix,
      it.hash,
      it.status,
      it.confirmations,
      it.foundAt,
      it.height,
      it.worker,
      it.reason ?? "",
      this.settings.roundTtlMs,
      turn?.after ?? 0,
      turn?.number ?? 0,
      MARK_TTL_MS,
    ];
    const keys = [this.keys.block(it.hash), blocks, round, totals, this.keys.turn(this.process)];
    const [changed, closed] = blockReply.parse(await available("record a block", block.run(this.redis, keys, args)));
    return { changed: changed === 1, round: closed === "" ? undefined : Number(closed) };
  }
}

const OUTCOMES: Readonly<Record<string, ShareOutcome>> = { r: "recorded", a: "redelivered", d: "duplicate" };

const blockReply = z.tuple([z.number(), z.string()]);

const bytesOf = (it: Uint8Array): Buffer => Buffer.from(it.buffer, it.byteOffset, it.byteLength);

/** What Redis says when it is there but cannot do it now. */
const NOT_NOW = /\b(LOADING|OOM|READONLY|MOVED|ASK|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|NOREPLICAS|MISCONF)\b/;
/** How an error reply of Redis begins; anything else comes from the connection. */
const REPLY = /(^|: )(ERR|WRONGTYPE|NOSCRIPT|NOPERM|NOAUTH)\b/;

/** Redis does not say which key is of the wrong type; the client knows what it asked. */
function keyed(what: string, error: unknown): unknown {
  if (!(error instanceof Error) || !error.message.startsWith("WRONGTYPE")) return error;
  const command: unknown = "command" in error ? error.command : undefined;
  const asked = z.object({ args: z.tuple([z.string()]).rest(z.unknown()) }).safeParse(command);
  if (!asked.success) return error;
  const [name] = asked.data.args;
  return new Error(`cannot ${what}: ${name} is of the wrong type: somebody else writes there. Rename or delete it`, {
    cause: error,
  });
}

/** Turns a failure of Redis into one that says whether to try again. `what` completes "cannot ...". */
export async function available<T>(what: string, doing: Promise<T>): Promise<T> {
  try {
    return await doing;
  } catch (error) {
    const text = messageOf(error);
    if (REPLY.test(text) && !NOT_NOW.test(text)) throw keyed(what, error);
    throw new WiringError("UNAVAILABLE", `cannot ${what}: Redis for shares says or is: ${text}. Try again.`, {
      cause: error,
    });
  }
}
