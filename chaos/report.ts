// What a run found: as one table for people, as JSON for programs.

import Table from "cli-table3";
import type { Done } from "./faults.js";
import { KINDS } from "./kinds.js";
import type { Broken, Counts, Ledger } from "./ledger.js";
import type { Use } from "./machine.js";
import type { Fault } from "./schedule.js";
import type { Percentiles } from "./stalls.js";
import type { Toll } from "./tolls.js";

export interface Result {
  readonly seed: number;
  readonly seconds: number;
  readonly clients: number;
  readonly lines: number;
  /** How late the clients' own threads were at worst: a busy machine shows here, and in every stall. */
  readonly lateMs: number;
  readonly faults: number;
  /** Faults that were drawn and not done, by kind and reason. */
  readonly leftOut: readonly { readonly kind: string; readonly why: string; readonly times: number }[];
  readonly counts: Counts;
  readonly stall: Percentiles;
  /** Of each client's longest wait. */
  readonly worstStall: Percentiles;
  readonly byKind: readonly KindResult[];
  /** What each fault cost, in the order in which they came. */
  readonly tolls: readonly Toll[];
  readonly use: Use;
  readonly broken: Ledger["broken"];
  readonly brokenCount: number;
  readonly brokenByPromise: Readonly<Record<string, number>>;
  /** What each fault was, in the order of the schedule. */
  readonly schedule: readonly { number: number; kind: string; atMs: number; target: number; forMs: number }[];
  readonly logs: string;
}

export interface KindResult {
  readonly kind: string;
  readonly faults: number;
  readonly stall: Percentiles;
  /** Waits beyond the limit that held for them. */
  readonly beyond: number;
  /** While one of the kind was felt: longest delay of the clients' own thread, longest stretch without an idle processor. */
  readonly ownDelayMs: number;
  readonly busyMs: number;
}

export interface Found {
  readonly seed: number;
  readonly seconds: number;
  readonly clients: number;
  readonly lines: number;
  /** How late the clients' own threads were at worst: a busy machine shows here, and in every stall. */
  readonly lateMs: number;
  readonly use: Use;
  readonly schedule: readonly Fault[];
  readonly done: Done;
  readonly ledger: Ledger;
  readonly logs: string;
}

export function resultOf({ ledger, done, schedule, ...run }: Found): Result {
  const { tolls } = ledger;
  const byKind = [...done.done].sort().map(([kind, faults]) => {
    const own = tolls.filter((toll) => toll.kind === kind);
    return {
      ...{ kind, faults, stall: ledger.stalls.of(kind) },
      beyond: own.reduce((sum, { beyond }) => sum + beyond, 0),
      ownDelayMs: Math.max(0, ...own.map(({ ownDelayMs }) => ownDelayMs)),
      busyMs: Math.max(0, ...own.map(({ busyMs }) => busyMs)),
    };
  });
  return {
    ...run,
    faults: byKind.reduce((sum, { faults }) => sum + faults, 0),
    leftOut: countLeftOut(done.leftOut),
    counts: ledger.counts,
    stall: ledger.stalls.all,
    worstStall: ledger.stalls.worst,
    byKind,
    tolls,
    broken: ledger.broken,
    brokenCount: [...ledger.brokenCounts.values()].reduce((sum, times) => sum + times, 0),
    brokenByPromise: Object.fromEntries(ledger.brokenCounts),
    schedule: schedule.map(({ kind, ...fault }) => ({ ...fault, kind: kind.name })),
  };
}

function countLeftOut(all: Done["leftOut"]): Result["leftOut"] {
  const counted = new Map<string, { kind: string; why: string; times: number }>();
  for (const { kind, why } of all) {
    const known = counted.get(`${kind} ${why}`);
    if (known) known.times += 1;
    else counted.set(`${kind} ${why}`, { kind, why, times: 1 });
  }
  return [...counted.values()];
}

/** Kinds of broken promises told in words. */
const TOLD_MAX = 20;

export function render(result: Result): string {
  const { counts } = result;
  const stalls = new Table({ head: HEAD, style: PLAIN });
  for (const { kind, faults, stall, beyond, ownDelayMs, busyMs } of result.byKind)
    stalls.push([kind, limitTold(kind), faults, ...columns(stall), beyond, ownDelayMs, busyMs]);
  stalls.push(["all", "", result.faults, ...columns(result.stall), "", Math.round(result.lateMs), ""]);
  const totals = new Table({ style: PLAIN });
  const { p50, p99, max } = result.worstStall;
  const rows: [string, number | string][] = [
    ["faults", result.faults],
    ["clients", result.clients],
    ["lines heard", result.lines],
    ["shares submitted", counts.shares],
    ["answered true", counts.accepted],
    ["stale", counts.stale],
    ["refused", counts.refused],
    ["unanswered", counts.unanswered],
    ["recorded", counts.recorded],
    ["disconnected", counts.disconnected],
    ["lost", counts.lost],
    ["double", counts.double],
    ["worst stall of a client, p50 / p99 / max ms", `${p50} / ${p99} / ${max}`],
    ["clients' own delay, max ms", Math.round(result.lateMs)],
    ["processors busy, of that this program, of", useTold(result.use)],
  ];
  for (const [name, value] of rows) totals.push({ [name]: value });
  const leftOut = result.leftOut.map(({ kind, why, times }) => `left out: ${kind} ${times} times: ${why}`);
  return [stalls.toString(), LEGEND, totals.toString(), ...leftOut, verdict(result)].join("\n");
}

const HEAD = ["fault", "limit", "times", "answers", "p50 ms", "p99 ms", "max ms", "beyond", "own ms", "busy ms"];
const LEGEND =
  "limit: of this kind alone; faults felt together have the greatest of theirs. beyond: waits longer than what held for them. own: longest delay of the clients' own thread meanwhile, busy: longest time without an idle processor; neither is subtracted from any wait.";

function limitTold(name: string): string {
  const kind = KINDS.find((it) => it.name === name);
  return kind ? `${kind.promise} ${kind.stallMaxMs} ms${kind.lasting ? " + its time" : ""}: ${kind.why}` : "";
}

const useTold = ({ busy, own, processors }: Use): string =>
  `${(busy * processors).toFixed(2)} / ${own.toFixed(2)} / ${processors}`;

const PLAIN = { head: [], border: [] };
const columns = ({ count, p50, p99, max }: Percentiles): number[] => [count, p50, p99, max];

function verdict({ broken, brokenCount, brokenByPromise, seed, logs }: Result): string {
  if (brokenCount === 0) return `seed ${seed}: every promise held`;
  const which = Object.entries(brokenByPromise).map(([promise, times]) => `${promise} ${times} times`);
  const alike = gather(broken);
  const told = alike.slice(0, TOLD_MAX).map(({ times, worst: { promise, what, client, atMs, faults } }) => {
    const who = client === undefined ? "" : `client ${client} `;
    const when = atMs === undefined ? "" : ` at ${new Date(atMs).toISOString().slice(11, 23)}`;
    const during = faults.length > 0 ? `; felt: ${faults.join(", ")}` : "";
    return `  ${promise} x ${times}, as: ${who}${what}${when}${during}`;
  });
  const more = alike.length > TOLD_MAX ? [`  ... and ${alike.length - TOLD_MAX} other ways`] : [];
  return [`seed ${seed}: BROKEN: ${which.join(", ")}; the logs are in ${logs}`, ...told, ...more].join("\n");
}

/** Broken promises of the same cause, as far as one can tell: same words but for numbers, same faults. The worst of each stands for all. */
export function gather(broken: Result["broken"]): { readonly times: number; readonly worst: Broken }[] {
  const groups = new Map<string, { times: number; worst: Broken }>();
  for (const it of broken) {
    const key = `${it.promise} ${it.what.replace(/[0-9a-f]{64}|\d+/g, "#")} ${it.faults.join()}`;
    const group = groups.get(key);
    if (!group) groups.set(key, { times: 1, worst: it });
    else {
      group.times += 1;
      if ((it.waitedMs ?? 0) > (group.worst.waitedMs ?? 0)) group.worst = it;
    }
  }
  return [...groups.values()].sort((a, b) => b.times - a.times);
}
