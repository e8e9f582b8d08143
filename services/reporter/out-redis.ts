// Out to Redis: the share log and everything that is counted from it.
//
//   in-shares --record, reject, block--> scripts/* --> Redis <-- readings (out-readings.ts)
//
// Every failure becomes an error that says whether trying again may help: UNAVAILABLE when Redis is away, is loading, is full or
// is no master; anything else is a bug and stays what it is.

import { z } from "zod";
import type { BlockRecord, RejectReason, Share, ShareOutcome } from "../../lib/contracts/index.js";
import { type House, type ScriptArgument, WiringError } from "../../lib/wiring/index.js";
import { type ShareKeys, shareKeys } from "./keys.js";
import { block } from "./scripts/block.js";
import { record } from "./scripts/record.js";
import { reject } from "./scripts/reject.js";
import type { Settings } from "./settings.js";
import { COARSE, FINE } from "./window.js";

export type SharesRedis = House["redis"]["shares"];

/** A share and the hashes that it stands for on average. */
export interface CreditedShare {
  readonly share: Share;
  readonly hashes: number;
}

export interface Reject {
  readonly worker: string;
  readonly reason: RejectReason;
  readonly count: number;
}

export class ShareStore {
  readonly keys: ShareKeys;

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
   * @returns an outcome for each share, in order.
   * @throws {WiringError} UNAVAILABLE: some or all may have been recorded; recording them again is harmless.
   */
  async record(shares: readonly CreditedShare[]): Promise<ShareOutcome[]> {
    const { log, totals, workers, round, prefix } = this.keys;
    const { archive, logLength, logLengthMax, identityTtlMs, workerTtlMs } = this.settings;
    const length = archive ? logLengthMax : logLength; // With an archive it is the archiver that trims to logLength.
    const args: ScriptArgument[] = [prefix, length, identityTtlMs, workerTtlMs];
    for (const { widthMs, keepMs } of [FINE, COARSE]) args.push(widthMs, keepMs);
    for (const credited of shares) pushShare(args, credited);
    const letters = z
      .string()
      .length(shares.length)
      .parse(await available("record shares", record.run(this.redis, [log, totals, workers, round], args)));
    return Array.from(letters, (letter) => OUTCOMES[letter] ?? "duplicate");
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
  async block(
    it: Omit<BlockRecord, "round">,
  ): Promise<{ readonly changed: boolean; readonly round: number | undefined }> {
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
    ];
    const keys = [this.keys.block(it.hash), blocks, round, totals];
    const [changed, closed] = blockReply.parse(await available("record a block", block.run(this.redis, keys, args)));
    return { changed: changed === 1, round: closed === "" ? undefined : Number(closed) };
  }
}

const OUTCOMES: Readonly<Record<string, ShareOutcome>> = { r: "recorded", a: "redelivered", d: "duplicate" };

const blockReply = z.tuple([z.number(), z.string()]);

function pushShare(args: ScriptArgument[], { share, hashes }: CreditedShare): void {
  const identity = Buffer.from(share.identity.buffer, share.identity.byteOffset, share.identity.byteLength);
  args.push(identity, identity.toString("hex"), share.height, share.connection, share.line, share.worker);
  args.push(share.difficulty, hashes, share.achieved, share.job, share.at, share.block ? 1 : 0);
}

/** What Redis says when it is there but cannot do it now. */
const NOT_NOW = /\b(LOADING|OOM|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|NOREPLICAS|MISCONF)\b/;
/** How an error reply of Redis begins; anything else comes from the connection. */
const REPLY = /(^|: )(ERR|WRONGTYPE|NOSCRIPT|NOPERM|NOAUTH)\b/;

/** Turns a failure of Redis into one that says whether to try again. `what` completes "cannot ...". */
export async function available<T>(what: string, doing: Promise<T>): Promise<T> {
  try {
    return await doing;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    if (REPLY.test(text) && !NOT_NOW.test(text)) throw error;
    throw new WiringError("UNAVAILABLE", `cannot ${what}: Redis for shares says or is: ${text}. Try again.`, {
      cause: error,
    });
  }
}
