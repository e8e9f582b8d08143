// Timer wheel: the deadlines of all calls under one timer. A setTimeout per call would cost half of the throughput.
//
//   slots:  [0] [1] [2] ... [511]     each a linked list; a deadline stands in slot (its tick mod 512)
//              ^ now, moves one slot per tick
//
//   T1. Nothing fires before its deadline; when the event loop is free, at most one tick after it.
//   T2. add() and remove() are constant work, allocate nothing, and are harmless when repeated.
//   T3. After the event loop was blocked, what has arrived meanwhile is read before anything fires: a reply that came in
//       time is never reported as a timeout.
//   T4. An empty wheel holds no timer, so it never keeps the process alive.
//   T5. While nothing is due soon it wakes seldom: a process with a call under way is not woken at every tick of it.

import type { Clock } from "../clock.js";

/** Coarse enough to wake seldom, fine against timeouts of hundreds of milliseconds. */
const TICK_MS = 4;
/** One turn is about two seconds: most calls end within it. Longer deadlines are met again at each turn. */
const SLOTS = 512;
/** Ticks that it sleeps at most. An empty wheel keeps its timer for so long, which spares a busy one a timer for each call. */
const SLEEP_TICKS = 16;
/** A tick that comes this late says that the event loop was blocked. */
const STALL_MS = 40;

/** A node of the wheel: a slot's head, or something with a deadline. */
class Node {
  previous: Node = this;
  next: Node = this;
}

/** Something with a deadline. Extended by calls, so that a deadline costs no object of its own. */
export abstract class Timed extends Node {
  /** The tick at which it is due; -1: not in a wheel. Kept by the wheel. */
  dueTick = -1;

  /** @param deadlineMs On the wheel's clock. Change it only while not in a wheel. */
  constructor(public deadlineMs: number) {
    super();
  }

  /** The deadline has passed. Called once; it is out of the wheel by then. Must not throw. */
  abstract expire(): void;
}

export class TimerWheel {
  readonly #slots: readonly Node[] = Array.from({ length: SLOTS }, () => new Node());
  readonly #clock: Clock;
  #size = 0;
  /** All slots up to this tick have been emptied of what was due. */
  #tick = 0;
  #stop: (() => void) | undefined;
  #expectedMs = 0;
  /** The tick for which the timer is set. */
  #wakeTick = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#size;
  }

  add(timed: Timed): void {
    if (timed.dueTick >= 0) return;
    if (this.#size++ === 0) this.#start();
    timed.dueTick = Math.max(this.#tick + 1, Math.ceil(timed.deadlineMs / TICK_MS));
    const head = this.#slot(timed.dueTick);
    timed.previous = head.previous;
    timed.next = head;
    head.previous.next = timed;
    head.previous = timed;
    if (timed.dueTick < this.#wakeTick) this.#wakeAt(timed.dueTick);
  }

  remove(timed: Timed): void {
    if (timed.dueTick < 0) return;
    timed.dueTick = -1;
    this.#size -= 1;
    timed.previous.next = timed.next;
    timed.next.previous = timed.previous;
    timed.previous = timed;
    timed.next = timed;
  }

  /** Drops everything without firing it. */
  close(): void {
    for (const head of this.#slots) {
      while (head.next instanceof Timed) this.remove(head.next);
    }
    this.#stop?.();
    this.#stop = undefined;
  }

  #slot(tick: number): Node {
    const head = this.#slots[tick % SLOTS];
    if (!head) throw new RangeError(`tick ${tick} has no slot: deadlines must be finite and not negative`);
    return head;
  }

  #start(): void {
    if (this.#stop) return;
    this.#tick = Math.floor(this.#clock.nowMs() / TICK_MS);
    this.#wakeAt(this.#tick + SLEEP_TICKS);
  }

  /** Sets the timer for this tick, whatever it was set for. */
  #wakeAt(tick: number): void {
    this.#stop?.();
    this.#wakeTick = tick;
    this.#wait(Math.max(0, tick * TICK_MS - this.#clock.nowMs()));
  }

  #wait(ms: number): void {
    this.#expectedMs = this.#clock.nowMs() + ms;
    this.#stop = this.#clock.after(ms, () => this.#turn());
  }

  #turn(): void {
    this.#stop = undefined;
    if (this.#size === 0) return; // T4: the last one left since the timer was set.
    const now = this.#clock.nowMs();
    if (now - this.#expectedMs > STALL_MS) {
      this.#wait(0); // T3: one turn of the event loop reads the sockets first.
      return;
    }
    this.#advance(Math.floor(now / TICK_MS));
    if (this.#size > 0) this.#wakeAt(this.#nextTick());
  }

  /** The next tick at which something may be due, or the last that may be slept through. */
  #nextTick(): number {
    const last = this.#tick + SLEEP_TICKS;
    for (let tick = this.#tick + 1; tick < last; tick += 1) if (this.#slot(tick).next instanceof Timed) return tick;
    return last;
  }

  #advance(to: number): void {
    const from = Math.max(this.#tick + 1, to - SLOTS + 1); // After a long pause each slot is visited once.
    this.#tick = to;
    const due: Timed[] = [];
    for (let tick = from; tick <= to; tick += 1) this.#collect(this.#slot(tick), to, due);
    for (const timed of due) {
      if (timed.dueTick < 0) continue; // An earlier one's expire() removed it.
      this.remove(timed);
      timed.expire();
    }
  }

  #collect(head: Node, to: number, due: Timed[]): void {
    for (let node = head.next; node instanceof Timed; node = node.next) {
      if (node.dueTick <= to) due.push(node);
    }
  }
}
