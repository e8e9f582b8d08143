// Roster: the live instances of one service, kept by links.ts and by what is hosted here, read by calls, subscriptions
// and watchers. An instance is on it from the moment its link is up until the link is lost or the instance says it leaves.

import { bySeniority, type Instance, type InstanceId } from "../discovery/instance.js";
import type { Target } from "./target.js";

export type LeaveReason = "gone" | "left";

export interface RosterListener {
  /** Something changed: an instance came, changed its state or description, or left. */
  changed?(): void;
  /** gone: its link died. left: it said so, or discovery did while no link was up. */
  left?(target: Target, reason: LeaveReason): void;
}

const RANK = { ready: 0, draining: 1, starting: 2 } as const;

export class Roster {
  readonly #targets = new Map<InstanceId, Target>();
  readonly #listeners = new Set<RosterListener>();
  #callable: readonly Target[] = [];
  #instances: readonly Instance[] | undefined;
  #local: Target | undefined;
  /** Why a listed process cannot be called: it, or we, refused the other. By endpoint. */
  readonly #refused = new Map<string, string>();

  constructor(readonly service: string) {}

  /** Instances that take new calls. */
  get callable(): readonly Target[] {
    return this.#callable;
  }

  /** The one in this process, if it takes calls. */
  get local(): Target | undefined {
    return this.#local;
  }

  get(id: InstanceId): Target | undefined {
    return this.#targets.get(id);
  }

  get targets(): Iterable<Target> {
    return this.#targets.values();
  }

  /** Ready ones first, then by seniority. */
  get instances(): readonly Instance[] {
    this.#instances ??= [...this.#targets.values()]
      .map((target) => target.instance)
      .sort((a, b) => RANK[a.state] - RANK[b.state] || bySeniority(a, b));
    return this.#instances;
  }

  /** Why an instance that is there cannot be called; undefined: no such instance. */
  get refusal(): string | undefined {
    return this.#refused.values().next().value;
  }

  refuse(endpoint: string, why: string): void {
    const news = this.#refused.get(endpoint) !== why;
    this.#refused.set(endpoint, why);
    if (news) this.changed();
  }

  /** Not refused any more, or not there. */
  pardon(endpoint: string): void {
    this.#refused.delete(endpoint);
  }

  put(target: Target): void {
    this.#targets.set(target.instance.id, target);
    this.changed();
  }

  remove(target: Target, reason: LeaveReason): void {
    if (this.#targets.get(target.instance.id) !== target) return;
    this.#targets.delete(target.instance.id);
    this.#refresh();
    for (const listener of this.#listeners) listener.left?.(target, reason);
    for (const listener of this.#listeners) listener.changed?.();
  }

  /** Of a target's description or state. */
  changed(): void {
    this.#refresh();
    for (const listener of this.#listeners) listener.changed?.();
  }

  listen(listener: RosterListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #refresh(): void {
    this.#instances = undefined;
    this.#callable = [...this.#targets.values()].filter((target) => target.instance.state === "ready");
    this.#local = this.#callable.find((target) => target.local);
  }
}
