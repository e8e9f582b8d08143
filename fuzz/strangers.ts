// One thread of strangers: connections that send nonsense as fast as the pool takes it, and read what they are answered.
//
//   flood.ts --"close"--> this thread --TCP--> pool          this thread --Count--> flood.ts
//
// After each handful of lines a stranger asks a small question, and it goes on when one of its last few was answered: so what it
// has sent is read, and does not pile up in the kernel by the hundred megabytes, which would test nothing. A rude one does not wait.
// A stranger that is closed comes back; one that is not let in, too.

import { connect, type Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { z } from "zod";
import { Seed } from "../chaos/seed.js";
import { cutAnywhere, makeLine, pick } from "./lines.js";

export const strangersData = z.object({
  port: z.number(),
  connections: z.number(),
  seed: z.number(),
  /** Address to come from, so that honest miners are told apart from it. */
  from: z.string(),
});
export type StrangersData = z.output<typeof strangersData>;

export interface Count {
  /** Lines that the kernel took; bytes heard; connections made, and closed by the pool. */
  readonly lines: number;
  readonly heardBytes: number;
  readonly connected: number;
  readonly closed: number;
}

/** What HAProxy lets in begins with this. */
const HELLO = '{"id":0,"method":"mining.ping","params":[]}\n';
/** Asked after each handful of lines. */
const QUESTION = Buffer.from('{"id":"mark","method":"mining.ping","params":[]}\n');
const ANSWER = Buffer.from('{"id":"mark","result"');
/** Handfuls that may be unanswered. */
const WINDOW = 4;
/** One of so many does not wait for answers. */
const RUDE_EVERY = 10;
/** Lines are made in blocks; a write is a part of one. Making every line anew would be slower than the pool. */
const BLOCKS = 32;
const BLOCK_LINES = 256;
/** A block is made anew after so many writes. */
const FRESH_EVERY = 50;
/** Of one write. */
const LINES_MAX = 200;
const PIECES = [1, 1, 1, 2, 2, 3, 8] as const;
const BACK_AFTER_MS = 50;
const REPORT_MS = 250;

interface Block {
  readonly bytes: Buffer;
  /** Where each line begins, and where the last one ends. */
  readonly starts: readonly number[];
}

function makeBlock(seed: Seed): Block {
  const lines = Array.from({ length: BLOCK_LINES }, () => makeLine(seed));
  const starts = [0];
  for (const { length } of lines) starts.push((starts.at(-1) ?? 0) + length);
  return { bytes: Buffer.concat(lines), starts };
}

/** One connection. */
class Stranger {
  readonly socket: Socket;
  #unanswered = 0;
  #waiting = false;
  /** The end of what was heard: an answer may come in two pieces. */
  #tail: Buffer = Buffer.alloc(0);

  constructor(
    private readonly crew: Strangers,
    private readonly rude: boolean,
  ) {
    const { port, from } = crew.data;
    this.socket = connect({ port, host: "127.0.0.1", localAddress: from, noDelay: true });
    this.socket.on("connect", () => {
      crew.count.connected += 1;
      this.socket.write(HELLO);
      this.#send();
    });
    this.socket.on("data", (chunk) => this.#heard(chunk));
    this.socket.on("error", () => {}); // Its close says all.
    this.socket.on("close", () => crew.closed(this, rude));
  }

  #heard(chunk: Buffer): void {
    this.crew.count.heardBytes += chunk.length;
    if (this.rude) return;
    const text = this.#tail.length === 0 ? chunk : Buffer.concat([this.#tail, chunk]);
    let from = 0;
    for (let at = text.indexOf(ANSWER); at >= 0; at = text.indexOf(ANSWER, from)) {
      from = at + ANSWER.length;
      this.#unanswered -= 1;
    }
    this.#tail = text.subarray(Math.max(from, text.length - ANSWER.length + 1));
    if (!this.#waiting || this.#unanswered >= WINDOW) return;
    this.#waiting = false;
    this.#send();
  }

  /** One write at a time: its lines count when the kernel has taken them, and only then the next follow. */
  #send(): void {
    if (this.crew.over || this.socket.destroyed) return;
    const { pieces, lines } = this.crew.handful();
    this.#unanswered += 1;
    this.#write([...pieces, QUESTION], 0, () => {
      this.crew.count.lines += lines + 1;
      this.#waiting = !this.rude && this.#unanswered >= WINDOW;
      if (!this.#waiting) setImmediate(() => this.#send());
    });
  }

  /** Each piece when the kernel has the one before, else they would be joined again. */
  #write(pieces: readonly Buffer[], at: number, done: () => void): void {
    const piece = pieces[at];
    if (!piece) done();
    else
      this.socket.write(piece, (error) => {
        if (!error) this.#write(pieces, at + 1, done); // Closed: its lines do not count.
      });
  }
}

class Strangers {
  readonly count = { lines: 0, heardBytes: 0, connected: 0, closed: 0 };
  over = false;
  readonly #seed: Seed;
  readonly #blocks: Block[];
  readonly #all = new Set<Stranger>();
  #writes = 0;

  constructor(readonly data: StrangersData) {
    this.#seed = new Seed(data.seed);
    this.#blocks = Array.from({ length: BLOCKS }, () => makeBlock(this.#seed));
    for (let i = 0; i < data.connections; i++) this.#come(i % RUDE_EVERY === 0);
  }

  close(): void {
    this.over = true;
    for (const { socket } of this.#all) socket.destroy();
  }

  closed(stranger: Stranger, rude: boolean): void {
    this.#all.delete(stranger);
    if (this.over) return;
    this.count.closed += 1;
    setTimeout(() => this.#come(rude), BACK_AFTER_MS);
  }

  /** Some lines that follow each other in a block, cut anywhere. */
  handful(): { readonly pieces: readonly Buffer[]; readonly lines: number } {
    const seed = this.#seed;
    if (this.#writes++ % FRESH_EVERY === 0) this.#blocks[seed.int(0, BLOCKS - 1)] = makeBlock(seed);
    const { bytes, starts } = pick(seed, this.#blocks as [Block, ...Block[]]);
    const lines = seed.int(1, LINES_MAX);
    const first = seed.int(0, BLOCK_LINES - lines);
    const some = bytes.subarray(starts[first], starts[first + lines]);
    return { pieces: cutAnywhere(seed, some, pick(seed, PIECES)), lines };
  }

  #come(rude: boolean): void {
    if (!this.over) this.#all.add(new Stranger(this, rude));
  }
}

if (parentPort) {
  const port = parentPort;
  const strangers = new Strangers(strangersData.parse(workerData));
  const timer = setInterval(() => port.postMessage(strangers.count), REPORT_MS);
  port.on("message", () => {
    clearInterval(timer);
    strangers.close();
    port.postMessage(strangers.count);
    port.close();
  });
}
