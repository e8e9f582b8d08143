// out-backend: carries events to the instances of the backend service and their answers back.
//
//   Switchboard --batch--> client.call("events", to: instance) --> taken | refused | failed
//   Switchboard <--apply-- client.subscribe("out")
//
//   O1. One `events` call an instance at a time: what was told in one tick, or while the last call was under way, goes in one.
//       Two at once could be taken in the wrong order when the first is refused.
//   O2. OVERLOADED: the same batch again, after 5 ms doubling to 500 ms. DRAINING: not again. The handler threw, the batch does not fit
//       the contract, or no reply comes while probes are answered: something in the batch is the cause, and the switchboard finds it.
//       A reply that is not the contract's is one. Anything else: nobody knows, so it is done again, elsewhere if possible.
//   O3. Every answer, a refusal too, is a sign of life. Where none is due, an empty `events` call asks for one.

import type { ClientEvent, LineBackendContract } from "../../lib/contracts/index.js";
import {
  type Client,
  type InstanceId,
  type Log,
  Seldom,
  type Subscription,
  WiringError,
} from "../../lib/wiring/index.js";
import type { MetricName } from "./metrics.js";
import type { Switchboard } from "./switchboard.js";

const RETRY_FIRST_MS = 5;
const RETRY_MAX_MS = 500;
const FLUSH_LOOK_MS = 5;
/** A backend that fails on everything fails thousands of times a minute. */
const LOG_EVERY_MS = 5_000;

type Outcome = "taken" | "later" | "refused" | "threw" | "failed";

export interface BackendLinkOptions {
  readonly client: Client<LineBackendContract>;
  readonly switchboard: Switchboard;
  readonly eventsTimeoutMs: number;
  readonly log: Log;
  /** Whether a backend takes lines has changed. */
  onReach?(reaches: boolean): void;
  count(name: MetricName, by?: number): void;
}

/** How often the switchboard looks at its clocks: silence is noticed that exactly, out of the second that clients may wait. */
export const TICKS_PER_SECOND = 20;

export class BackendLink {
  readonly #subscription: Subscription;
  readonly #unwatch: () => void;
  readonly #timer: NodeJS.Timeout;
  /** Instances whose send loop runs, or will at the end of this tick. */
  readonly #sending = new Set<InstanceId>();
  /** Instances that a probe is on its way to. */
  readonly #probing = new Set<InstanceId>();
  readonly #complaints = new Seldom(LOG_EVERY_MS);
  #reaches = false;
  #closed = false;

  constructor(readonly options: BackendLinkOptions) {
    const { client, switchboard } = options;
    this.#subscription = client.subscribe("out", {
      onMessage: ({ outs }, { instance }) => switchboard.apply(instance.id, outs),
      onGap: ({ id }) => switchboard.gap(id),
      onJoin: ({ id }) => switchboard.joined(id),
      onLeave: ({ id }, reason) => switchboard.left(id, reason === "gone"),
    });
    this.#unwatch = client.watch((instances) => switchboard.listed(instances));
    this.#timer = setInterval(() => {
      switchboard.tick();
      this.#lookAtReach();
    }, 1_000 / TICKS_PER_SECOND);
  }

  /** Whether a backend takes lines. */
  get reaches(): boolean {
    return this.#reaches;
  }

  #lookAtReach(): void {
    const { reaches } = this.options.switchboard;
    if (reaches === this.#reaches) return;
    this.#reaches = reaches;
    this.options.onReach?.(reaches);
  }

  /** There is something to send. Sent at the end of the tick, with all that is told until then. */
  wake(id: InstanceId): void {
    if (this.#sending.has(id) || this.#closed) return;
    this.#sending.add(id);
    setImmediate(() => this.#send(id));
  }

  /** O3. One at a time; whether it is answered is heard by the switchboard. */
  probe(id: InstanceId): void {
    if (this.#probing.has(id) || this.#closed) return;
    this.#probing.add(id);
    void this.#call(id, []).finally(() => this.#probing.delete(id));
  }

  /** Resolves when everything told was sent and answered, or after waitMs. */
  async flushed(waitMs: number): Promise<void> {
    const untilMs = performance.now() + waitMs;
    while (this.#sending.size > 0 && performance.now() < untilMs) await pause(FLUSH_LOOK_MS);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#unwatch();
    this.#subscription.close();
    await this.options.client.close();
  }

  async #send(id: InstanceId): Promise<void> {
    try {
      await this.#sendAll(id);
    } finally {
      this.#sending.delete(id); // In the same turn in which nothing more was found: a wake after it is not missed.
    }
  }

  async #sendAll(id: InstanceId): Promise<void> {
    const { switchboard } = this.options;
    let retryMs = RETRY_FIRST_MS;
    for (let batch = switchboard.batch(id); batch && !this.#closed; batch = switchboard.batch(id)) {
      const outcome = await this.#call(id, batch);
      if (outcome === "taken") {
        switchboard.taken(id, batch);
        retryMs = RETRY_FIRST_MS;
      } else if (outcome === "later") {
        await pause(retryMs);
        retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
      } else if (outcome === "refused") switchboard.refused(id, batch);
      else if (outcome === "threw") switchboard.threw(id, batch);
      else switchboard.failed(id, batch);
    }
  }

  /** O2 */
  async #call(id: InstanceId, events: readonly ClientEvent[]): Promise<Outcome> {
    const { client, switchboard, eventsTimeoutMs } = this.options;
    try {
      await client.call("events", { events: events as ClientEvent[] }, { to: id, timeoutMs: eventsTimeoutMs });
      switchboard.heard(id);
      return "taken";
    } catch (error) {
      if (!(error instanceof WiringError)) throw error;
      return this.#outcome(id, error, events.length);
    }
  }

  #outcome(id: InstanceId, error: WiringError, events: number): Outcome {
    const { switchboard, count } = this.options;
    switch (error.code) {
      case "DRAINING":
        return "refused";
      case "OVERLOADED":
        switchboard.heard(id);
        count("edge.overloaded");
        return "later";
      case "INVALID_REPLY":
        switchboard.heard(id);
        this.#complain(id, error, "a backend's reply to `events` is not {}; its handler should return that");
        return "taken";
      case "REMOTE":
      case "INVALID_REQUEST":
        switchboard.heard(id);
        if (events > 0)
          this.#complain(id, error, "a backend's handler failed on clients' events; its own log has the stack");
        return "threw";
      case "TIMEOUT":
        if (events === 0 || !switchboard.isLively(id)) return "failed";
        this.#complain(id, error, "a backend's handler hangs: it answers probes, and not these clients' events");
        return "threw";
      default:
        if (events > 0) this.#complain(id, error, "a backend failed to take clients' events; they are given again");
        return "failed";
    }
  }

  #complain(instance: InstanceId, error: WiringError, what: string): void {
    const kept = this.#complaints.pass();
    if (kept !== undefined) this.options.log.warn({ instance, reason: error.message, alikeNotLogged: kept }, what);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
