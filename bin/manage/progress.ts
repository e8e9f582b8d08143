// Progress: watches a watcher's processes while the manager replaces them, and tells each step with its time.
//
//   manager: which pids there are     discovery: which instance each is, and its state     --> lines, and the report
//
// Looked at ten times a second, by questions that any manager answers; what it does not see in time costs a line, nothing else.

import { setTimeout as delay } from "node:timers/promises";
import { seenHere } from "../../lib/process-mark.js";
import type { Instance } from "../../lib/wiring/index.js";

const LOOK_EVERY_MS = 100;

export interface Seen {
  readonly pid: number;
  readonly id?: string;
  readonly version?: string;
}

/** One process' way in or out; milliseconds since the swap began. */
export interface Step extends Seen {
  readonly what: "started" | "ready" | "draining" | "stopped";
  readonly atMs: number;
}

export interface ProgressOptions {
  pids(): Promise<readonly number[]>;
  instances(): Promise<readonly Instance[]>;
  /** One line for people. */
  tell(line: string): void;
}

type Look = ReadonlyMap<number, { readonly seen: Seen; readonly state: Instance["state"] | undefined }>;

export class Progress {
  readonly steps: Step[] = [];
  readonly #startedAtMs = performance.now();
  readonly #stopped = new AbortController();
  readonly #known = new Map<number, { seen: Seen; what: Step["what"]; sinceMs: number }>();
  #looking: Promise<void> = Promise.resolve();

  constructor(readonly options: ProgressOptions) {}

  get ms(): number {
    return Math.round(performance.now() - this.#startedAtMs);
  }

  /** Resolves after a first look: those that run now are the old ones. */
  async start(): Promise<void> {
    const now = await this.#look();
    for (const [pid, { seen }] of now) this.#known.set(pid, { seen, what: "ready", sinceMs: 0 });
    this.#looking = this.#follow();
  }

  /** After one more look. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#looking;
    this.#compare(await this.#look());
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      await delay(LOOK_EVERY_MS, undefined, { signal }).catch(() => {});
      if (!signal.aborted) this.#compare(await this.#look().catch(() => undefined)); // The manager is busy: look again.
    }
  }

  async #look(): Promise<Look> {
    const [pids, instances] = await Promise.all([this.options.pids(), this.options.instances()]);
    const here = instances.filter(seenHere);
    return new Map(
      pids.map((pid) => {
        const it = here.find((instance) => instance.pid === pid);
        return [pid, { seen: { pid, ...(it && { id: it.id, version: it.version }) }, state: it?.state }];
      }),
    );
  }

  #compare(now: Look | undefined): void {
    if (!now) return;
    // In the order in which a swap goes, when one look sees several changes: a new one is ready, its predecessor leaves, the next starts.
    this.#compareReady(now);
    for (const [pid, { seen }] of this.#known) if (!now.has(pid)) this.#step("stopped", seen);
    for (const [pid, { seen }] of now) if (!this.#known.has(pid)) this.#step("started", seen);
    this.#compareReady(now);
    for (const [pid, { seen, state }] of now) {
      if (this.#known.get(pid)?.what === "ready" && state === "draining") this.#step("draining", seen);
    }
  }

  #compareReady(now: Look): void {
    for (const [pid, { seen, state }] of now) {
      if (this.#known.get(pid)?.what === "started" && state === "ready") this.#step("ready", seen);
    }
  }

  #step(what: Step["what"], seen: Seen): void {
    const before = this.#known.get(seen.pid);
    const known = { ...before?.seen, ...seen }; // Discovery forgets an instance before its process has ended.
    const atMs = this.ms;
    this.steps.push({ ...known, what, atMs });
    if (what === "stopped") this.#known.delete(seen.pid);
    else this.#known.set(seen.pid, { seen: known, what, sinceMs: atMs });
    const timed = before && (what === "ready" || before.what === "draining");
    this.options.tell(describe(what, known, timed ? atMs - before.sinceMs : undefined));
  }
}

/** `0.3 s` */
export const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

function describe(what: Step["what"], { pid, id, version }: Seen, tookMs: number | undefined): string {
  const who = id === undefined ? `pid ${pid}` : `${id} (pid ${pid})`;
  if (what === "started") return `${who} started`;
  if (what === "ready") return `${who} ready after ${seconds(tookMs ?? 0)}${version ? `, version ${version}` : ""}`;
  if (what === "draining") return `${who} drains`;
  return `${who} stopped${tookMs === undefined ? "" : `, ${seconds(tookMs)} later`}`;
}
