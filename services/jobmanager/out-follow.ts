// Found blocks until they are safe: a daemon is asked where each of them stands.
//
//   onJudged, adopted --> Follow --getblockheader every followMs--> accepted <-> orphaned --> confirmed
//
//   L1. Every change of status is told once; growing confirmations every few looks.
//   L2. A block is followed until it is confirmed, or until it has stood outside the chain for as many blocks. That counts also for
//       one that no daemon knows any more.
//   L3. Bounded: at most FOLLOWED_MAX; the oldest is dropped, and said so.

import { z } from "zod";
import { pause } from "./backoff.js";
import type { Found } from "./found.js";
import type { Target } from "./out-blocks.js";
import { type DaemonRpc, RpcError } from "./out-rpc.js";
import { followed } from "./verdict.js";

/** At a hundred confirmations even a pool that finds every block follows a tenth of it. */
const FOLLOWED_MAX = 1_000;
/** L1. Looks between two words on a block that only gets deeper: whoever reads records looks every minute, not every second. */
const DEEPER_EVERY_LOOKS = 3;

export interface FollowDeps {
  /** The one to be believed first. */
  targets(): readonly Target[];
  /** Confirmations that make a block safe. */
  readonly confirmations: number;
  readonly followMs: number;
  onChange(block: Found, reason?: string): void;
  /** The same status, more (or fewer) confirmations. */
  onDeeper(block: Found): void;
  onDropped(block: Found): void;
}

interface Followed {
  readonly block: Found;
  /** What was said of it last. */
  readonly toldConfirmations: number;
  readonly looksSinceTold: number;
}

/** Where a block stands; `depth` is how far the chain has come past it. */
interface Place {
  readonly confirmations: number;
  readonly depth: number;
  readonly unknown?: boolean;
}

const headerAnswer = z.object({ confirmations: z.number().int() });
const RPC_NOT_FOUND = -5;
const REPLACED = "another block stands at its height in the daemon's chain";
const UNKNOWN = "no daemon knows it, and its height is buried";

export class Follow {
  readonly #blocks = new Map<string, Followed>();
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;

  constructor(private readonly deps: FollowDeps) {
    this.#running = this.#rounds();
  }

  /** Known blocks stay as they are. */
  add(block: Found): void {
    if (this.#blocks.has(block.hash)) return;
    this.#blocks.set(block.hash, { block, toldConfirmations: block.confirmations, looksSinceTold: 0 });
    const [oldest] = this.#blocks.values();
    if (this.#blocks.size <= FOLLOWED_MAX || !oldest) return;
    this.#blocks.delete(oldest.block.hash); // L3
    this.deps.onDropped(oldest.block);
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
      for (const followed of [...this.#blocks.values()]) {
        if (signal.aborted) return;
        await this.#look(followed, signal);
      }
    }
  }

  async #look({ block, toldConfirmations, looksSinceTold }: Followed, signal: AbortSignal): Promise<void> {
    const seen = await this.#ask(block, signal);
    if (!seen) return;
    const { confirmations, depth, unknown } = seen;
    const status = followed(confirmations, this.deps.confirmations);
    const next = { ...block, status, confirmations };
    const changed = status !== block.status;
    const deeper = confirmations !== toldConfirmations && looksSinceTold + 1 >= DEEPER_EVERY_LOOKS;
    const said = { toldConfirmations: confirmations, looksSinceTold: 0 };
    const unsaid = { toldConfirmations, looksSinceTold: looksSinceTold + 1 };
    if (status === "confirmed" || (status === "orphaned" && depth >= this.deps.confirmations)) {
      this.#blocks.delete(block.hash); // L2
    } else this.#blocks.set(block.hash, { block: next, ...(changed || deeper ? said : unsaid) });
    if (unknown && block.status === "pending") return; // Whoever offers it says what becomes of it.
    if (changed)
      this.deps.onChange(next, status === "orphaned" ? (unknown ? UNKNOWN : REPLACED) : undefined); // L1
    else if (deeper) this.deps.onDeeper(next);
  }

  /** The word of the first daemon that knows the block; or that none of those that answer does, and it would be deep by now. */
  async #ask(block: Found, signal: AbortSignal): Promise<Place | undefined> {
    let ignorant: DaemonRpc | undefined;
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
        if (error instanceof RpcError && error.rpcCode === RPC_NOT_FOUND) ignorant ??= rpc;
        // Otherwise: a daemon in trouble is not asked about the next thing: its own watch says what is wrong.
      }
    }
    return ignorant && this.#buried(ignorant, block, signal);
  }

  async #buried(rpc: DaemonRpc, { height }: Found, signal: AbortSignal): Promise<Place | undefined> {
    const tip = await rpc.call("getblockcount", [], z.number().int(), { signal }).catch(() => undefined); // Asked again next time.
    if (tip === undefined || tip - height < this.deps.confirmations) return undefined;
    return { confirmations: -1, depth: tip - height, unknown: true };
  }

  /** @throws {RpcError} also when the chain has not come that far. */
  async #isReplaced(rpc: DaemonRpc, { hash, height }: Found, signal: AbortSignal): Promise<boolean> {
    return (await rpc.call("getblockhash", [height], z.string(), { signal })) !== hash;
  }
}
