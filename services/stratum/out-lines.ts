// What goes to the edges: one push an edge and tick, in the order in which it was said.
//
//   in-lines -> write, broadcast -> a list an edge -> (end of the tick) -> pushTo(edge, "out")
//
//   O1. Order is kept within an edge: a difficulty said before a broadcast arrives before it.
//   O2. A push that the edge does not take (not subscribed yet, or its queue is full) is kept and tried again. When more than
//       `heldBytesMax` are held for one edge, the edge is given up: its connections are forgotten here, it keeps their lines.
//   O3. Plain answers to one connection that follow each other become one write: a client that says a hundred lines at once costs
//       both sides a fraction of a hundred writes.

import type { LineNumber, Out } from "../../lib/contracts/index.js";
import type { PeerId } from "../../lib/wiring/index.js";
import type { Outbox } from "./ports.js";

/** Outs in one push. The contract takes more; smaller pushes let an edge begin earlier. */
export const OUTS_PER_PUSH = 4_096;
/** Bytes in one push, so that a broadcast with tens of thousands of writes is no single giant frame. */
const PUSH_BYTES_MAX = 1_024 * 1_024;
/** O2: half a minute of a busy edge. */
const HELD_BYTES_MAX = 64 * 1_024 * 1_024;
const RETRY_MS = 10;
/** O3: a write that has grown to this is ended. */
const RUN_BYTES_MAX = 64 * 1_024;
const RUN_LINES_MAX = 1_024;
/** A write without bytes still costs its handle and its acknowledgements. */
const OUT_OVERHEAD_BYTES = 32;

export interface OutLinesOptions {
  /** False: not taken, to be tried again. */
  send(edge: PeerId, outs: Out[]): boolean;
  onRetry(): void;
  /** O2: the edge is given up. */
  onLost(edge: PeerId): void;
  readonly heldBytesMax?: number;
}

type Write = Extract<Out, { kind: "write" }>;

/** Answers of one connection, one after the other, that become one write. */
interface Run {
  readonly handle: Write["handle"];
  readonly acknowledges: LineNumber[];
  readonly pieces: Uint8Array[];
  bytes: number;
}

interface Lane {
  outs: Out[];
  /** O3. What was said last; not among the outs yet. */
  run: Run | undefined;
  bytes: number;
  retry: NodeJS.Timeout | undefined;
}

export class OutLines implements Outbox {
  readonly #lanes = new Map<PeerId, Lane>();
  readonly #heldBytesMax: number;
  #scheduled: NodeJS.Immediate | undefined;

  constructor(private readonly options: OutLinesOptions) {
    this.#heldBytesMax = options.heldBytesMax ?? HELD_BYTES_MAX;
  }

  say(edge: PeerId, out: Out): void {
    const lane = this.#lane(edge);
    if (!joinRun(lane, out)) {
      endRun(lane);
      if (isPlain(out)) lane.run = runOf(out);
      else lane.outs.push(out);
      lane.bytes += sizeOf(out);
    }
    this.#scheduled ??= setImmediate(() => this.flush());
  }

  /** Sends everything that was said; also called by itself at the end of each tick. */
  flush(): void {
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    for (const [edge, lane] of this.#lanes) if (lane.retry === undefined) this.#send(edge, lane);
  }

  /** True when nothing waits for any edge. */
  get empty(): boolean {
    for (const lane of this.#lanes.values()) if (lane.outs.length > 0 || lane.run) return false;
    return true;
  }

  forget(edge: PeerId): void {
    clearTimeout(this.#lanes.get(edge)?.retry);
    this.#lanes.delete(edge);
  }

  close(): void {
    clearImmediate(this.#scheduled);
    for (const edge of [...this.#lanes.keys()]) this.forget(edge);
  }

  #lane(edge: PeerId): Lane {
    let lane = this.#lanes.get(edge);
    if (!lane) {
      lane = { outs: [], run: undefined, bytes: 0, retry: undefined };
      this.#lanes.set(edge, lane);
    }
    return lane;
  }

  #send(edge: PeerId, lane: Lane): void {
    endRun(lane);
    while (lane.outs.length > 0) {
      const { count, bytes } = nextPush(lane.outs);
      const taken = this.options.send(edge, count === lane.outs.length ? lane.outs : lane.outs.slice(0, count));
      if (!taken) {
        this.#hold(edge, lane);
        return;
      }
      // A new array, not a shorter one: what was handed over is not touched any more.
      lane.outs = lane.outs.slice(count);
      lane.bytes -= bytes;
    }
  }

  #hold(edge: PeerId, lane: Lane): void {
    this.options.onRetry();
    if (lane.bytes > this.#heldBytesMax) {
      this.forget(edge);
      this.options.onLost(edge);
      return;
    }
    // O1: the list in hand stays as it is; what is said meanwhile goes behind it.
    lane.outs = [...lane.outs];
    lane.retry = setTimeout(() => {
      lane.retry = undefined;
      this.#send(edge, lane);
    }, RETRY_MS);
  }
}

/** An answer and its acknowledgement, and nothing that has a place in an order of its own. */
function isPlain(out: Out): out is Write {
  return out.kind === "write" && !out.state && !out.join && !out.leave && out.close === undefined && !out.heard;
}

const runOf = ({ handle, bytes, acknowledges }: Write): Run => ({
  handle,
  acknowledges: acknowledges ? [...acknowledges] : [],
  pieces: bytes ? [bytes] : [],
  bytes: bytes?.length ?? 0,
});

/** O3. False: it does not continue what was said last. */
function joinRun(lane: Lane, out: Out): boolean {
  const { run } = lane;
  if (!run || !isPlain(out) || out.handle !== run.handle) return false;
  if (run.bytes > RUN_BYTES_MAX || run.acknowledges.length >= RUN_LINES_MAX) return false;
  if (out.acknowledges) run.acknowledges.push(...out.acknowledges);
  if (out.bytes) run.pieces.push(out.bytes);
  const bytes = out.bytes?.length ?? 0;
  run.bytes += bytes;
  lane.bytes += bytes;
  return true;
}

function endRun(lane: Lane): void {
  const { run } = lane;
  if (!run) return;
  lane.run = undefined;
  const write: Write = { kind: "write", handle: run.handle };
  const [only, ...more] = run.pieces;
  if (only) write.bytes = more.length === 0 ? only : Buffer.concat(run.pieces);
  if (run.acknowledges.length > 0) write.acknowledges = run.acknowledges;
  lane.outs.push(write);
}

function nextPush(outs: readonly Out[]): { count: number; bytes: number } {
  let bytes = 0;
  let count = 0;
  for (const out of outs) {
    const size = sizeOf(out);
    if (count > 0 && (count >= OUTS_PER_PUSH || bytes + size > PUSH_BYTES_MAX)) break;
    bytes += size;
    count++;
  }
  return { count, bytes };
}

const sizeOf = (out: Out): number =>
  OUT_OVERHEAD_BYTES + (out.bytes?.length ?? 0) + (out.kind === "write" ? (out.state?.length ?? 0) : 0);
