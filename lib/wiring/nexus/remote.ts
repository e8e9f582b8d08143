// Remote: an instance in another process, across a live link.

import type { PushSpec } from "../contract.js";
import type { Instance } from "../discovery/instance.js";
import { Breaker } from "../guard/breaker.js";
import type { Link } from "../rpc/link.js";
import type { Call } from "./call.js";
import type { PushSink, PushStream, Target } from "./target.js";

const RANK = { starting: 0, ready: 1, draining: 2 } as const;

export class RemoteTarget implements Target {
  readonly local = false;
  readonly breaker = new Breaker();
  outstanding = 0;
  #instance: Instance;
  /** Methods by the short names they have on this link. */
  readonly #names = new Map<string, number>();

  constructor(
    instance: Instance,
    readonly link: Link,
  ) {
    this.#instance = instance;
  }

  get instance(): Instance {
    return this.#instance;
  }

  /** News from discovery. An instance never goes back in its life, so older news does not undo newer. */
  describe(instance: Instance): void {
    const older = RANK[instance.state] < RANK[this.#instance.state];
    this.#instance = older ? { ...instance, state: this.#instance.state } : instance;
  }

  begin(call: Call): void {
    const method = call.method.name;
    let name = this.#names.get(method);
    if (name === undefined) {
      name = this.link.calls.name(this.#instance.id, method);
      this.#names.set(method, name);
    }
    this.link.calls.begin(call, name);
  }

  abandon(call: Call): void {
    this.link.calls.abandon(call);
  }

  refusing(): void {
    this.#instance = { ...this.#instance, state: "draining" };
  }

  subscribe(push: string, spec: PushSpec, sink: PushSink): PushStream {
    return this.link.streams.open(this.#instance.id, push, spec, sink);
  }
}
