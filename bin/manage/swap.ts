// Swap: new instances in the place of the old ones, one at a time, while clients stay.
//
//   manager: start a new one -> ready (discovery, an answer) -> stop the old one, which drains -> the next        (circus, `reload`)
//                                  \-> not ready: stop it again, the old one stays, nothing more is replaced
//
//   S1. Whether a new instance is good is the manager's to decide, because it alone can put things back. What this adds is the
//       story for people, and a last look: every process left must stand in discovery as ready, if any did before (HAProxy
//       itself never does).

import { CircusCallError } from "../../circus/index.js";
import { seenHere } from "../../lib/process-mark.js";
import type { Instance } from "../../lib/wiring/index.js";
import type { Manager } from "./manager.js";
import { Progress, type Seen, type Step } from "./progress.js";

/** One JSON object of `headframe swap --json`. */
export interface SwapReport {
  readonly service: string;
  readonly ok: boolean;
  /** Why not. */
  readonly reason?: string;
  readonly ms: number;
  /** Of those that served before. */
  readonly replaced: readonly Seen[];
  /** Who serves afterwards. */
  readonly serving: readonly Seen[];
  readonly steps: readonly Step[];
}

export interface SwapOptions {
  readonly manager: Manager;
  readonly watcher: string;
  readonly service: string;
  /** Only this process. */
  readonly pid?: number;
  /** New options of the watcher (`cmd`, `env`), taken back when a new instance is not ready. */
  readonly options?: object;
  instances(): Promise<readonly Instance[]>;
  tell(line: string): void;
}

/** HAProxy and its controller: what they hold is not given to new processes. */
const STAYED = "its processes were told to read their configuration again (send_hup in circus.ini), and run on";

/** Never rejects because of a new instance that is not good: that is a report. @throws {CircusCallError} without a manager. */
export async function swapRolling(options: SwapOptions): Promise<SwapReport> {
  const { manager, watcher, service, pid, instances, tell } = options;
  const pids = () => manager.pids(watcher);
  const before = await pids();
  const patienceMs = await manager.patienceMs(watcher, Math.max(1, before.length));
  const progress = new Progress({ pids, instances, tell });
  await progress.start();
  const replaced = ready(await instances(), pid === undefined ? before : [pid]);
  let reason: string | undefined;
  try {
    const change = { ...(pid === undefined ? {} : { pid }), ...(options.options && { options: options.options }) };
    await manager.reload(watcher, change, patienceMs);
  } catch (error) {
    if (!(error instanceof CircusCallError) || error.errno === undefined) throw error;
    reason = error.message;
  } finally {
    await progress.stop();
  }
  const after = await pids();
  const serving = ready(await instances(), after);
  if (pid === undefined && before.some((it) => after.includes(it))) reason ??= STAYED;
  reason ??= lacking(watcher, after, replaced.length > 0 ? serving : undefined);
  const common = { service, ms: progress.ms, replaced, serving, steps: progress.steps };
  return reason === undefined ? { ...common, ok: true } : { ...common, ok: false, reason };
}

/** What to say of a swap that did not go well. */
export function whatWentWrong({ service, reason, replaced, serving }: SwapReport): string {
  const fresh = serving.filter(({ pid }) => !replaced.some((old) => old.pid === pid));
  const who = fresh.map(({ id, pid }) => id ?? `pid ${pid}`).join(", ");
  const then = who === "" ? "the old instances stay" : `${who} serves already`;
  return `${service} was not swapped; ${then}\n${reason}`;
}

/** `version 0.1.0 -> 0.2.0`; several at once are all named. */
export function versions({ replaced, serving }: Pick<SwapReport, "replaced" | "serving">): string {
  const [old, now] = [replaced, serving].map((some) => {
    const names = new Set(some.flatMap(({ version }) => version ?? []));
    return names.size === 0 ? "unknown" : [...names].sort().join(" and ");
  });
  return old === now ? `version ${now}, as before` : `version ${old} -> ${now}`;
}

function ready(instances: readonly Instance[], pids: readonly number[]): Seen[] {
  return instances
    .filter((it) => seenHere(it) && it.state === "ready" && pids.includes(it.pid))
    .map(({ id, pid, version }) => ({ id, pid, version }));
}

/** S1. @param serving Undefined: this watcher's processes do not stand in discovery. */
function lacking(watcher: string, pids: readonly number[], serving: readonly Seen[] | undefined): string | undefined {
  if (pids.length === 0) return `${watcher} has no process`;
  if (!serving) return undefined;
  const without = pids.filter((pid) => !serving.some((it) => it.pid === pid));
  return without.length === 0
    ? undefined
    : `replaced, but discovery does not have ${without.map((pid) => `pid ${pid}`).join(", ")} as ready`;
}
