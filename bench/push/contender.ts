// A contender of the push benchmark: one publisher, many subscriber processes, numbered messages, none lost.
//
//   publisher --publish(sequence)--> every subscriber         subscriber --seen(sequence), now and then--> publisher
//
// What is seen is the credit: the publisher stays at most WINDOW messages ahead of the slowest, whatever carries them.

import { beAgent, usage } from "../kit/agent.js";
import { quantiles } from "../kit/load.js";

/** 100 bytes beside the number. */
export const TEXT = "headframe ".repeat(10);
/** Messages that the slowest subscriber may be behind. */
const WINDOW = 8_192;
/** A subscriber says how far it is after so many. */
export const SEEN_EVERY = 1_024;
const PER_TURN = 512;
/** A message in so many is timed: from its publishing until every subscriber's word for it would be too late, so at the subscriber. */
const TIMED_EVERY = 256;

export interface Publisher {
  readonly address: unknown;
  publish(sequence: number, sentMs: number): void;
}

export interface PushContender {
  /** @param seen Called with what a subscriber has seen. */
  publisher(seen: (subscriber: string, sequence: number) => void): Promise<Publisher>;
  /** @param take Called with every message in the order of its coming. @returns the way to tell what was seen. */
  subscriber(
    address: never,
    name: string,
    take: (sequence: number, sentMs: number) => void,
  ): Promise<(sequence: number) => void>;
}

export interface Pushed {
  readonly messages: number;
  readonly seconds: number;
  /** Messages a second at each subscriber. */
  readonly rate: number;
  readonly cpuUs: number;
  readonly rssBytes: number;
}

export interface Received {
  readonly messages: number;
  /** Numbers that were not the next one. */
  readonly holes: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

/** The same clock in every process of a machine. */
export const machineMs = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000;

export function contendPush(contender: PushContender): void {
  const publisher = new Pace(contender);
  const subscriber = new Counter(contender);
  beAgent({
    open: () => publisher.open(),
    publish: (options: { ms: number; subscribers: number }) => publisher.run(options.ms, options.subscribers),
    join: (given: { address: never; name: string }) => subscriber.join(given.address, given.name),
    received: () => subscriber.received(),
  });
}

class Pace {
  readonly #seen = new Map<string, number>();
  #publisher: Publisher | undefined;
  #next = 1;
  #done: (() => void) | undefined;

  constructor(private readonly contender: PushContender) {}

  async open(): Promise<unknown> {
    this.#publisher = await this.contender.publisher((subscriber, sequence) => {
      this.#seen.set(subscriber, sequence);
      this.#done?.();
    });
    return this.#publisher.address;
  }

  async run(ms: number, subscribers: number): Promise<Pushed> {
    const first = this.#next;
    const before = usage();
    const startMs = performance.now();
    await this.#publish(startMs + ms);
    // The last number is a multiple of SEEN_EVERY, so everybody tells of it.
    await this.#seenByAll(subscribers);
    const seconds = (performance.now() - startMs) / 1_000;
    const { cpuUs, rssBytes } = usage();
    const messages = this.#next - first;
    return { messages, seconds, rate: messages / seconds, cpuUs: cpuUs - before.cpuUs, rssBytes };
  }

  #publish(untilMs: number): Promise<void> {
    return new Promise((resolve) => {
      const turn = () => {
        const over = performance.now() >= untilMs;
        const last = Math.min(this.#next + PER_TURN, this.#slowest() + WINDOW);
        const sentMs = machineMs();
        while (this.#next < last && !(over && (this.#next - 1) % SEEN_EVERY === 0)) {
          this.#publisher?.publish(this.#next, sentMs);
          this.#next += 1;
        }
        if (over && (this.#next - 1) % SEEN_EVERY === 0) resolve();
        else setImmediate(turn);
      };
      turn();
    });
  }

  #slowest(): number {
    let slowest = Number.POSITIVE_INFINITY;
    for (const sequence of this.#seen.values()) if (sequence < slowest) slowest = sequence;
    return this.#seen.size === 0 ? 0 : slowest;
  }

  #seenByAll(subscribers: number): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (this.#seen.size < subscribers || this.#slowest() < this.#next - 1) return;
        this.#done = undefined;
        resolve();
      };
      this.#done = look;
      look();
    });
  }
}

class Counter {
  #messages = 0;
  #expected = 1;
  #holes = 0;
  #times: number[] = [];

  constructor(private readonly contender: PushContender) {}

  async join(address: never, name: string): Promise<void> {
    let tell = (_: number): void => {};
    tell = await this.contender.subscriber(address, name, (sequence, sentMs) => {
      if (sequence !== this.#expected) this.#holes += 1;
      this.#expected = sequence + 1;
      this.#messages += 1;
      if (sequence % TIMED_EVERY === 0) this.#times.push(machineMs() - sentMs);
      if (sequence % SEEN_EVERY === 0) tell(sequence);
    });
    tell(0); // It is here.
  }

  /** Since the last time it was asked. */
  received(): Received {
    const found = { messages: this.#messages, holes: this.#holes, ...quantiles(this.#times) };
    this.#messages = 0;
    this.#holes = 0;
    this.#times = [];
    return found;
  }
}
