// Blocks to the daemons: the one message of the whole pool that is worth money by itself.
//
//   submitBlock --body of its job--> encodeBlock --submitblock to every daemon at once--> verdicts --> reply, onJudged
//
//   S1. Every daemon is offered the block, live or not: one that we think dead may only be slow.
//   S2. The answer waits for the first acceptance and a moment for the others, never for the slowest.
//   S3. The same block again gets the same answer; while the first is under way, both share it.
//   S4. A block that is not judged (statusOf) is kept and offered again until it is (out-pending.ts). One whose first verdict is
//       late is kept meanwhile: this process may be killed.
//   S5. `duplicate` says that a daemon knows the block, not that it is in the chain: the daemon is asked where the block stands.

import { z } from "zod";
import {
  chain,
  type DaemonVerdict,
  nowMs,
  type SubmitBlockReply,
  type SubmitBlockRequest,
} from "../../lib/contracts/index.js";
import { WiringError } from "../../lib/wiring/index.js";
import { pause } from "./backoff.js";
import { type BlockBody, encodeBlock } from "./block.js";
import type { Judged } from "./found.js";
import type { Held, Pending } from "./out-pending.js";
import { type DaemonRpc, RpcError } from "./out-rpc.js";
import { messageOf } from "./reason.js";
import { statusOf, verdictOf } from "./verdict.js";

/** Within the contract's 15 s; a daemon checks a full block in a second or two. */
const VERDICT_MS = 12_000;
/** After the first acceptance: enough for daemons that are as well as that one. */
const GRACE_MS = 500;
/** S4. A healthy daemon is faster, so that blocks usually cost shared state nothing. */
const KEEP_AFTER_MS = 500;
/** Answers kept for S3. A pool finds far fewer blocks in the minutes in which a line may be delivered again. */
const ANSWERS_MAX = 1_024;

export interface Target {
  readonly name: string;
  readonly rpc: DaemonRpc;
}

export interface BlocksDeps {
  /** In configured order. */
  targets(): readonly Target[];
  bodyOf(job: SubmitBlockRequest["job"]): Promise<BlockBody | undefined>;
  readonly pending: Pick<Pending, "hold" | "save" | "forget">;
  /** A block got its first status. */
  onJudged(judged: Judged): void;
  onVerdict(verdict: DaemonVerdict, hash: string): void;
  /** Milliseconds to the first acceptance. */
  onAccepted(ms: number): void;
}

export class Blocks {
  readonly #answers = new Map<string, Promise<SubmitBlockReply>>();
  readonly #closing = new AbortController();

  constructor(private readonly deps: BlocksDeps) {}

  submit(request: SubmitBlockRequest): Promise<SubmitBlockReply> {
    const hash = chain.displayHash(chain.headerId(request.header));
    const known = this.#answers.get(hash);
    if (known) return known; // S3
    const answer = this.#submit(hash, request);
    this.#answers.set(hash, answer);
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > ANSWERS_MAX && oldest !== undefined) this.#answers.delete(oldest);
    return answer;
  }

  close(): void {
    this.#closing.abort();
  }

  async #submit(hash: string, request: SubmitBlockRequest): Promise<SubmitBlockReply> {
    const body = await this.deps.bodyOf(request.job);
    if (!body) {
      this.#answers.delete(hash); // Shared state may be back in a moment.
      return { status: "unknown_job", hash, height: 0, verdicts: [] };
    }
    const { height } = body;
    const held: Held = {
      ...{ hash, height, worker: request.worker, foundAt: nowMs() },
      block: encodeBlock(request.header, request.coinbase, body),
    };
    const verdicts = await this.#offerFirst(held);
    const status = statusOf(verdicts);
    if (status === undefined) return this.#hold(held, verdicts);
    this.deps.onJudged({ ...held, status, verdicts });
    return { status: status === "accepted" ? "accepted" : "rejected", hash, height, verdicts };
  }

  /** S4 */
  async #offerFirst(held: Held): Promise<DaemonVerdict[]> {
    const answered = new AbortController();
    const offered = this.offer(held.block, held.hash).finally(() => answered.abort());
    await pause(KEEP_AFTER_MS, AbortSignal.any([answered.signal, this.#closing.signal]));
    if (answered.signal.aborted) return offered;
    await this.deps.pending.save(held);
    const verdicts = await offered;
    if (statusOf(verdicts) !== undefined) await this.deps.pending.forget(held.hash);
    return verdicts;
  }

  /** S4. Whoever asks again meanwhile offers it too, which is harmless. */
  async #hold(held: Held, verdicts: DaemonVerdict[]): Promise<SubmitBlockReply> {
    const { hash, height } = held;
    this.#answers.delete(hash);
    if (await this.deps.pending.hold(held, verdicts)) return { status: "pending", hash, height, verdicts };
    throw new WiringError(
      "UNAVAILABLE",
      `block ${hash}: not every daemon has judged it and none has taken it, and shared state cannot keep it. Try again.`,
    );
  }

  /**
   * S1, S2. One verdict a daemon, in configured order.
   *
   * @param before Verdicts on this block so far: a daemon that has rejected it is not sent it again.
   */
  async offer(bytes: Uint8Array, hash: string, before: readonly DaemonVerdict[] = []): Promise<DaemonVerdict[]> {
    const block = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
    const begun = performance.now();
    const targets = this.deps.targets();
    const verdicts = targets.map(
      ({ name }): DaemonVerdict => ({ daemon: name, outcome: "unreachable", reason: "has not answered yet" }),
    );
    const accepted = new AbortController();
    const all = targets.map(async (target, index) => {
      const rejected = before.find(({ daemon, outcome }) => daemon === target.name && outcome === "rejected");
      if (rejected) {
        verdicts[index] = rejected;
        return;
      }
      const verdict = await offerTo(target, block, hash);
      verdicts[index] = verdict;
      this.deps.onVerdict(verdict, hash);
      if (verdict.outcome !== "accepted" || accepted.signal.aborted) return;
      this.deps.onAccepted(performance.now() - begun);
      accepted.abort();
    });
    await Promise.race([Promise.all(all), graceAfter(accepted.signal)]);
    return [...verdicts];
  }
}

async function offerTo({ name, rpc }: Target, block: string, hash: string): Promise<DaemonVerdict> {
  try {
    const answer = await rpc.call("submitblock", [block], submitAnswer, { timeoutMs: VERDICT_MS });
    const verdict = verdictOf(name, answer);
    if (verdict.outcome !== "duplicate") return verdict;
    const { confirmations } = await rpc.call("getblockheader", [hash], headerAnswer); // S5
    return confirmations > 0 ? verdict : { daemon: name, outcome: "inconclusive", reason: OUTSIDE };
  } catch (error) {
    // Only an error of the method itself is a judgement: -22 says that it cannot read the block.
    const judged = error instanceof RpcError && error.rpcCode === RPC_DESERIALIZATION_ERROR;
    return { daemon: name, outcome: judged ? "rejected" : "unreachable", reason: messageOf(error) };
  }
}

const submitAnswer = z.string().max(2_000).nullable();
const headerAnswer = z.object({ confirmations: z.number().int() });
const OUTSIDE = "it has the block already, outside its best chain";
const RPC_DESERIALIZATION_ERROR = -22;

async function graceAfter(accepted: AbortSignal): Promise<void> {
  await new Promise((resolve) => accepted.addEventListener("abort", resolve, { once: true }));
  await new Promise((resolve) => setTimeout(resolve, GRACE_MS).unref());
}
