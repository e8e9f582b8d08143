// Subscription: one listener's streams of one push, from every live instance, now and later.
//
//   roster --instance appears--> target.subscribe --> stream --> listener
//
//   S1. The listener's methods never throw into the wiring.
//   S2. After close() the listener is not called again.

import { asError } from "../../thrown.js";
import type { PushSpec } from "../contract.js";
import type { Instance, InstanceId } from "../discovery/instance.js";
import type { Log } from "../house.js";
import { guarded, watched } from "./foreign.js";
import type { PushListener, Subscription } from "./nexus.js";
import type { LeaveReason, Roster } from "./roster.js";
import type { Tally } from "./tally.js";
import type { PushSink, PushStream, Target } from "./target.js";

export interface SubscriptionParts {
  readonly roster: Roster;
  readonly push: string;
  readonly spec: PushSpec;
  readonly listener: PushListener<unknown>;
  readonly log: Log;
  readonly tally: Tally;
  /** Called by close(). */
  closed(subscription: Subscription): void;
}

interface Joined {
  readonly target: Target;
  /** Undefined while it is being opened. */
  stream: PushStream | undefined;
  /** onJoin was called, so onLeave is due. */
  announced: boolean;
}

export class PushSubscription implements Subscription {
  readonly #parts: SubscriptionParts;
  readonly #streams = new Map<InstanceId, Joined>();
  readonly #unlisten: () => void;
  #closed = false;

  constructor(parts: SubscriptionParts) {
    this.#parts = parts;
    this.#unlisten = parts.roster.listen({
      changed: () => this.#join(),
      left: (target, reason) => this.#left(target, reason),
    });
    this.#join();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true; // S2
    this.#unlisten();
    for (const { stream } of this.#streams.values()) stream?.close();
    this.#streams.clear();
    this.#parts.closed(this);
  }

  #join(): void {
    for (const target of this.#parts.roster.targets) {
      const { id, state } = target.instance;
      if (state !== "starting" && !this.#streams.has(id)) this.#begin(id, target);
    }
  }

  #begin(id: InstanceId, target: Target): void {
    const { push, spec } = this.#parts;
    const joined: Joined = { target, stream: undefined, announced: false };
    this.#streams.set(id, joined); // First: what subscribe() calls may change the roster, and lead back here.
    joined.stream = target.subscribe(push, spec, this.#sink(id, target));
  }

  #sink(id: InstanceId, target: Target): PushSink {
    const { listener, tally, roster, log, push } = this.#parts;
    return {
      joined: () => {
        const joined = this.#streams.get(id);
        if (joined) joined.announced = true;
        this.#guarded(() => listener.onJoin?.(target.instance));
      },
      message: (message, sequence) => {
        if (this.#closed) return; // S2
        try {
          const origin = { instance: target.instance, sequence, snapshot: sequence === 0 };
          const result: unknown = listener.onMessage(message, origin);
          if (result !== undefined) watched(result, this.#threw);
        } catch (thrown) {
          this.#threw(thrown);
        }
      },
      refused: (why) => {
        const { id } = target.instance;
        log.error({ service: roster.service, push, instance: id }, `${id} refuses a subscription: ${why.message}`);
        this.#guarded(() => listener.onRefused?.(target.instance, why));
      },
      gap: (expected, received) => {
        tally.count("wiring.gaps", { service: roster.service });
        this.#guarded(() => listener.onGap?.(target.instance, { expected, received }));
      },
    };
  }

  #left(target: Target, reason: LeaveReason): void {
    const instance: Instance = target.instance;
    const joined = this.#streams.get(instance.id);
    if (!joined || joined.target !== target) return;
    this.#streams.delete(instance.id);
    joined.stream?.close();
    if (joined.announced) this.#guarded(() => this.#parts.listener.onLeave?.(instance, reason));
  }

  #guarded(run: () => unknown): void {
    if (!this.#closed) guarded(run, this.#threw); // S2
  }

  /** S1 */
  readonly #threw = (thrown: unknown): void => {
    const { log, roster, push } = this.#parts;
    log.error({ err: asError(thrown), service: roster.service, push }, "a push listener threw; carrying on");
  };
}
