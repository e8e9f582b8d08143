// Found blocks until they are safe: a daemon is asked where each of them stands.
//
//   onJudged, adopted --> Follow --getblockheader every followMs--> accepted <-> orphaned --> confirmed
//
//   L1. Every change of status is told once.
//   L2. A block is followed until it is confirmed, or until it has stood outside the chain for as many blocks.
//   L3. Bounded: at most FOLLOWED_MAX; the oldest is dropped, and said so.

import { z } from "zod";
import { pause } from "./backoff.js";
import type { Found } from "./found.js";
import type { Target } from "./out-blocks.js";
import { type DaemonRpc, RpcError } from "./out-rpc.js";
import { followed } from "./verdict.js";

/** At a hundred confirmations even a pool that finds every block follows a tenth of it. */
const FOLLOWED_MAX = 1_000;

export interface FollowDeps {
  /** The one to be believed first. */
  targets(): readonly Target[];
  /** Confirmations that make a block safe. */
  readonly confirmations: number;
  readonly followMs: number;
  onChange(block: Found, reason?: string): void;
  onDropped(block: Found): void;
}

const headerAnswer = z.object({ confirmations: z.number().int() });
const RPC_NOT_FOUND = -5;

export class Follow {
  readonly #blocks = new Map<string, Found>();
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;

  constructor(private readonly deps: FollowDeps) {
    this.#running = this.#rounds();
  }

  /** Known blocks stay as they are. */
  add(block: Found): void {
    if (this.#blocks.has(block.hash)) return;
    this.#blocks.set(block.hash, block);
    const [oldest] = this.#blocks.values();
    if (this.#blocks.size <= FOLLOWED_MAX || !oldest) return;
    this.#blocks.delete(oldest.hash); // L3
    this.deps.onDropped(oldest);
  }

  /** Safe twice. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #rounds(): Promise<void> {
    const signal = this.#closing.signal;
    while (!signal.aborted) {
      await pause(this.deps.followMs, signal);
      for (const block of [...this.#blocks.values()]) {
        if (signal.aborted) return;
        await this.#look(block, signal);
      }
    }
  }

  async #look(block: Found, signal: AbortSignal): Promise<void> {
    const seen = await this.#ask(block, signal);
    if (!seen) return;
    const status = followed(seen.confirmations, this.deps.confirmations);
    const next = { ...block, status, confirmations: seen.confirmations };
    const over = status === "confirmed" || (status === "orphaned" && seen.depth >= this.deps.confirmations);
    if (over)
      this.#blocks.delete(block.hash); // L2
    else this.#blocks.set(block.hash, next);
    if (status === block.status) return; // L1
    this.deps.onChange(
      next,
      status === "orphaned" ? "another block stands at its height in the daemon's chain" : undefined,
    );
  }

  /** The first daemon's word that knows the block; `depth` is how far the chain has come past it. */
  async #ask(block: Found, signal: AbortSignal): Promise<{ confirmations: number; depth: number } | undefined> {
    for (const { rpc } of this.deps.targets()) {
      try {
        const { confirmations } = await rpc.call("getblockheader", [block.hash], headerAnswer, { signal });
        // -1 also means: the header is known and not connected yet. Only another block at its height is an orphan's proof.
        if (confirmations < 0 && !(await this.#isReplaced(rpc, block, signal))) continue;
        const tip =
          confirmations < 0 ? await rpc.call("getblockcount", [], z.number().int(), { signal }) : block.height;
        return { confirmations, depth: tip - block.height };
      } catch (error) {
        if (signal.aborted) return undefined;
        if (error instanceof RpcError && error.rpcCode === RPC_NOT_FOUND) continue;
        // A daemon in trouble is not asked about the next thing: its own watch says what is wrong.
      }
    }
    return undefined;
  }

  /** @throws {RpcError} also when the chain has not come that far. */
  async #isReplaced(rpc: DaemonRpc, { hash, height }: Found, signal: AbortSignal): Promise<boolean> {
    return (await rpc.call("getblockhash", [height], z.string(), { signal })) !== hash;
  }
}
