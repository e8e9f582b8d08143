// Pending blocks: found, and no daemon could take them yet. Kept in shared state until one does, or until they are worthless.
//
//   out-blocks --hold--> Redis: one hash, a field a block, whole <--adopt-- every jobmanager, also one that was just started
//                                                                  --offer again and again--> a verdict --> onJudged, removed
//
//   N1. Nothing is forgotten before it was judged or its height is buried under the chain: any jobmanager goes on with it.
//   N2. Every jobmanager offers what it knows of: daemons answer `duplicate` to the second, and records are idempotent.
//   N3. While Redis is away a block is held here alone, which `hold` says, and is saved as soon as it is back.
//   N4. Bounded: HELD_MAX blocks here and in shared state; the oldest is dropped here, and said so.

import { pack, unpack } from "msgpackr";
import { z } from "zod";
import { type DaemonVerdict, epochMs, workerName } from "../../lib/contracts/index.js";
import { type House, key } from "../../lib/wiring/index.js";
import { pause } from "./backoff.js";
import type { Judged } from "./found.js";
import { messageOf } from "./reason.js";
import { statusOf } from "./verdict.js";

/** Blocks of 4 MB; on a real chain even one of them is an event. */
const HELD_MAX = 32;
/** Daemons come back without a word: so late at most they are offered what waits. */
const ROUND_EVERY_MS = 1_000;
/** Rounds between two looks at what others hold. */
const ADOPT_EVERY_ROUNDS = 5;
/** Before this process ends. */
const SAVE_AGAIN_MS = 200;
/** What nobody has taken care of for so long is cleared away. */
const KEPT_MS = 30 * 86_400_000;

const held = z.object({
  height: z.number().int().nonnegative(),
  worker: workerName,
  foundAt: epochMs,
  /** As submitblock takes it. */
  block: z.custom<Uint8Array>((value) => value instanceof Uint8Array),
});
export type Held = z.output<typeof held> & { readonly hash: string };

export interface PendingDeps {
  readonly redis: House["redis"]["state"];
  readonly cluster: string;
  /** A block this deep under the chain's tip cannot get into it any more. */
  readonly confirmations: number;
  /** Of the chain as live daemons have it; undefined while none lives. */
  height(): number | undefined;
  /** To every daemon. */
  offer(block: Uint8Array, hash: string, before: readonly DaemonVerdict[]): Promise<DaemonVerdict[]>;
  /** With the daemons' verdicts so far; none when another jobmanager offered it before. */
  onHeld(held: Held, verdicts: readonly DaemonVerdict[]): void;
  onJudged(judged: Judged): void;
  onDropped(held: Held): void;
  /** Shared state does not do what it should; said once until it does again. */
  onTrouble(reason: string): void;
}

interface Entry {
  readonly it: Held;
  saved: boolean;
  verdicts: readonly DaemonVerdict[];
}

export class Pending {
  readonly #held = new Map<string, Entry>();
  readonly #key: string;
  readonly #closing = new AbortController();
  #running: Promise<void> | undefined;
  #trouble = false;

  constructor(private readonly deps: PendingDeps) {
    this.#key = key(deps.cluster, "pending-blocks");
  }

  /** From now on what is held, here or by others, is offered. */
  start(): void {
    this.#running ??= this.#rounds();
  }

  /** N1. @returns whether it outlives this process. */
  async hold(it: Held, verdicts: readonly DaemonVerdict[] = []): Promise<boolean> {
    const known = this.#held.get(it.hash);
    if (known?.saved) return true;
    const entry = known ?? this.#add({ it, saved: false, verdicts });
    await this.#save(entry);
    return entry.saved;
  }

  /** Resolves when nothing is held here alone, or after timeoutMs. */
  async drain(timeoutMs: number): Promise<void> {
    const end = performance.now() + timeoutMs;
    const alone = () => [...this.#held.values()].filter(({ saved }) => !saved);
    while (alone().length > 0 && performance.now() < end) {
      for (const entry of alone()) await this.#save(entry);
      if (alone().length > 0) await pause(SAVE_AGAIN_MS, this.#closing.signal);
    }
  }

  /** Safe twice. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  /** Only for the case that this process ends before the daemons have answered; `hold` follows, or `forget`. */
  async save(it: Held): Promise<void> {
    await this.#save({ it, saved: false });
  }

  async forget(hash: string): Promise<void> {
    this.#held.delete(hash);
    await this.#try(() => this.deps.redis.hdel(this.#key, hash));
  }

  #add(entry: Entry): Entry {
    this.#held.set(entry.it.hash, entry);
    this.deps.onHeld(entry.it, entry.verdicts);
    const [oldest] = this.#held.values();
    if (this.#held.size > HELD_MAX && oldest) {
      this.#held.delete(oldest.it.hash);
      this.deps.onDropped(oldest.it); // N4
    }
    return entry;
  }

  async #rounds(): Promise<void> {
    const { signal } = this.#closing;
    for (let round = 0; !signal.aborted; round++) {
      if (round % ADOPT_EVERY_ROUNDS === 0) await this.#adopt();
      for (const entry of [...this.#held.values()]) {
        if (signal.aborted) return;
        if (!entry.saved) await this.#save(entry); // N3
        await this.#offer(entry);
      }
      await pause(ROUND_EVERY_MS, signal);
    }
  }

  async #offer(entry: Entry): Promise<void> {
    const { it } = entry;
    const { hash, height, worker, foundAt } = it;
    const verdicts = await this.deps.offer(it.block, hash, entry.verdicts);
    entry.verdicts = verdicts;
    const status = statusOf(verdicts) ?? (this.#isBuried(it) ? "rejected" : undefined);
    if (status === undefined) return;
    this.deps.onJudged({ hash, height, worker, foundAt, status, verdicts });
    await this.forget(hash);
  }

  #isBuried({ height }: Held): boolean {
    const chain = this.deps.height();
    return chain !== undefined && chain - height >= this.deps.confirmations;
  }

  /** N1, N2 */
  async #adopt(): Promise<void> {
    const hashes = (await this.#try(() => this.deps.redis.hkeys(this.#key))) ?? [];
    for (const hash of hashes.filter((each) => !this.#held.has(each)).slice(0, HELD_MAX)) {
      const bytes = await this.#try(() => this.deps.redis.hgetBuffer(this.#key, hash));
      if (!bytes) continue;
      const read = readHeld(bytes);
      if (read) this.#add({ it: { ...read, hash }, saved: true, verdicts: [] });
      else this.#tell(`${this.#key} holds ${hash}, which is no block of ours`);
    }
  }

  async #save(entry: Pick<Entry, "it"> & { saved: boolean }): Promise<void> {
    const { hash, ...rest } = entry.it;
    const done = await this.#try(async () => {
      if ((await this.deps.redis.hlen(this.#key)) >= HELD_MAX)
        throw new Error(`${HELD_MAX} blocks are pending already`);
      await this.deps.redis.hset(this.#key, hash, pack(rest));
      return this.deps.redis.pexpire(this.#key, KEPT_MS);
    });
    entry.saved = done === 1;
  }

  async #try<T>(act: () => Promise<T>): Promise<T | undefined> {
    try {
      const done = await act();
      this.#trouble = false;
      return done;
    } catch (error) {
      this.#tell(messageOf(error));
      return undefined;
    }
  }

  #tell(reason: string): void {
    if (!this.#trouble) this.deps.onTrouble(reason);
    this.#trouble = true;
  }
}

function readHeld(bytes: Uint8Array): z.output<typeof held> | undefined {
  try {
    return held.safeParse(unpack(bytes)).data;
  } catch {
    return undefined; // Damaged, or somebody else's.
  }
}
