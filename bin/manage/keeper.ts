// The keeper's hand-overs, seen from outside: a fresh edge (SIGHUP), or a fresh keeper with a fresh edge (SIGUSR2).
//
//   manager --signal--> keeper          keeper's log (by the manager's `tail`) + discovery --> progress, outcome
//
//   E1. The keeper itself puts things back: an edge that is not ready leaves the old one in charge, a successor that ends before it
//       has everything leaves the old keeper. Here that is told, with the reason, from the last lines of whoever failed.

import { setTimeout as delay } from "node:timers/promises";
import type { KeeperEvent, KeeperLine } from "../../lib/contracts/index.js";
import { seenHere } from "../../lib/process-mark.js";
import type { Instance } from "../../lib/wiring/index.js";
import type { Manager } from "./manager.js";
import { type Seen, type Step, seconds } from "./progress.js";
import type { SwapReport } from "./swap.js";

const LOOK_EVERY_MS = 50;
/** The keeper gives a planned edge 20 s to get ready and, usually, 30 s to hand over; a machine with other things to do gets more. */
const PATIENCE_MS = 60_000;
/** The name of the keeper's watcher in circus.ini. */
export const KEEPER_WATCHER = "keeper";

const FAILED: ReadonlySet<KeeperEvent> = new Set<KeeperEvent>([
  "hand-over failed: the new edge ended before it was ready; the old one stays",
  "hand-over asked for while one is going on: ignored",
  "upgrade asked for while edges change: ignored",
  "upgrade failed: the successor ended; this keeper stays",
]);

export interface HandOverOptions {
  readonly manager: Manager;
  /** Of service `edge`. */
  instances(): Promise<readonly Instance[]>;
  tell(line: string): void;
}

/** A fresh edge in the place of the serving one. */
export function swapEdge(options: HandOverOptions): Promise<SwapReport> {
  return follow("edge", options, {
    begin: (manager) => manager.signal(KEEPER_WATCHER, "SIGHUP"),
    done: [
      "hand-over done",
      "hand-over cut short: the old edge ended, and clients it had not released are given as it had told of them",
    ],
    gone: async (before, now) => !now.some(({ id }) => before.some((old) => old.id === id)),
  });
}

/** A fresh keeper, and with it a fresh edge, in the place of the running ones. */
export async function swapKeeper(options: HandOverOptions): Promise<SwapReport> {
  const { manager } = options;
  const old = await manager.pids(KEEPER_WATCHER);
  return follow("keeper", options, {
    begin: () => manager.signal(KEEPER_WATCHER, "SIGUSR2"),
    done: ["upgrade done: the successor has every client"],
    gone: async () => {
      const now = await manager.pids(KEEPER_WATCHER);
      return now.length > 0 && !now.some((pid) => old.includes(pid));
    },
  });
}

interface Plan {
  begin(manager: Manager): Promise<void>;
  /** Any of these. */
  readonly done: readonly KeeperEvent[];
  /** Whether the old ones have left. */
  gone(before: readonly Seen[], now: readonly Seen[]): Promise<boolean>;
}

async function follow(service: string, options: HandOverOptions, plan: Plan): Promise<SwapReport> {
  const { manager, instances, tell } = options;
  const startedAt = Date.now();
  const serving = async (): Promise<Seen[]> => ready(await instances());
  const before = await serving();
  const log = new KeeperLog(manager, startedAt, tell);
  const report = async (reason?: string): Promise<SwapReport> => {
    const common = {
      service,
      ms: Date.now() - startedAt,
      replaced: before,
      serving: await serving(),
      steps: log.steps,
    };
    return reason === undefined ? { ...common, ok: true } : { ...common, ok: false, reason };
  };
  await plan.begin(manager);
  while (Date.now() - startedAt < PATIENCE_MS) {
    await log.look();
    if (log.failure !== undefined) return report(log.failure);
    const now = await serving();
    const fresh = now.some(({ id }) => !before.some((old) => old.id === id));
    if (plan.done.some((event) => log.said(event)) && fresh && (await plan.gone(before, now))) return report();
    await delay(LOOK_EVERY_MS);
  }
  return report(`nothing came of it within ${PATIENCE_MS / 1_000} s; the keeper's log says more`);
}

const ready = (instances: readonly Instance[]): Seen[] =>
  instances.filter((it) => seenHere(it) && it.state === "ready").map(({ id, pid, version }) => ({ id, pid, version }));

/** What keepers said since then, read from the manager's memory of their last lines. */
class KeeperLog {
  readonly steps: Step[] = [];
  failure: string | undefined;
  readonly #lines = new Set<string>();
  readonly #said = new Set<KeeperEvent>();

  constructor(
    private readonly manager: Manager,
    private readonly sinceMs: number,
    private readonly tell: (line: string) => void,
  ) {}

  said(event: KeeperEvent): boolean {
    return this.#said.has(event);
  }

  async look(): Promise<void> {
    const lines = await this.manager.tail(KEEPER_WATCHER);
    for (const text of lines) {
      const line = parse(text);
      if (!line || line.time < this.sinceMs || this.#lines.has(text)) continue;
      this.#lines.add(text);
      this.#hear(line, lines);
    }
  }

  #hear(line: KeeperLine, lines: readonly string[]): void {
    const { msg, edgePid } = line;
    this.#said.add(msg);
    if (FAILED.has(msg)) this.failure = [msg, line.how, ...complaints(lines)].filter(Boolean).join("\n");
    const atMs = line.time - this.sinceMs;
    if (edgePid !== undefined && !line.standby && (msg === "edge started" || msg === "successor started")) {
      this.steps.push({ what: "started", pid: edgePid, atMs });
    }
    if (msg !== "edge stands by" && !line.standby)
      this.tell(`${msg}${edgePid ? ` (pid ${edgePid})` : ""}, at ${seconds(atMs)}`);
  }
}

function parse(text: string): KeeperLine | undefined {
  if (!text.startsWith("{")) return undefined;
  try {
    const line = JSON.parse(text) as KeeperLine;
    return line.name === "keeper" ? line : undefined;
  } catch {
    return undefined; // Cut by the manager, which remembers 500 characters of a line.
  }
}

/** What was said for people, not for programs: how a process that cannot start explains itself. */
const complaints = (lines: readonly string[]): string[] => lines.filter((text) => text !== "" && !text.startsWith("{"));
