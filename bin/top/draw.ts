// The screen of `headframe top`: a view in, text out. Pure.

import type { WorkerStats } from "../../lib/contracts/index.js";
import { cut, firstThatFits } from "../draw/fit.js";
import { type Paint, painter } from "../draw/paint.js";
import { sparkline } from "../draw/sparkline.js";
import { refusals, short } from "../draw/tables.js";
import { plainTable } from "../table.js";
import { duration, hashrate, type ScreenOptions } from "../up/screen.js";
import type { Sort, TopView } from "./view.js";

const COURSE_WIDTH = 30;
const COURSE_WIDTH_NARROW = 12;
/** From so many columns on there is room for wide courses. */
const WIDE = 100;
const WORKER_COURSE_WIDTH = 16;
const WORKERS_MIN = 3;
const INSTANCES_NOTED_MAX = 3;

/** At most `rows - 1` lines: where all instances do not fit, they are counted, and those that need attention are listed. */
export function drawTop(view: TopView, { columns, rows, colours }: ScreenOptions): string {
  const paint = painter(colours);
  const title = headline(view, columns < WIDE ? COURSE_WIDTH_NARROW : COURSE_WIDTH, paint);
  const variants = [
    [...title, "", ...instances(view, paint), ""],
    [...title, "", ...instancesInBrief(view, paint), ""],
  ];
  // Below: the titles of the columns, the workers, how many there are more, the keys.
  const head = firstThatFits(variants, { rows, restMin: WORKERS_MIN + 3 });
  const room = Math.max(1, rows - 1 - head.length - 3);
  const foot = paint("dim", `q quits   s sorts (now by ${view.sort})`);
  return cut([...head, ...workers(view, room, paint), foot], { columns, rows });
}

/** The same as one line, where there is no screen. */
export function drawTopLine({ at, pool, job, loads, instances, troubles }: TopView): string {
  const clients = instances.filter(({ service }) => service === "edge").map(({ id }) => loads.get(id) ?? 0);
  const figures = pool
    ? [
        hashrate(pool.hashrate1m),
        `${pool.workersActive} workers`,
        `${pool.accepted} accepted`,
        `${rejectedIn(pool.rejected)} rejected`,
        `${pool.blocks} blocks`,
      ]
    : [];
  const work = job ? [`job ${job.id} for block ${job.height}`] : [];
  const all = [...figures, `${sum(clients)} clients`, ...work, ...troubles];
  return `${new Date(at).toTimeString().slice(0, 8)}  ${all.join("   ")}`;
}

function headline(view: TopView, courseWidth: number, paint: Paint): string[] {
  const { pool, job, at, daemons, hashrates, sharesPerSecond, troubles } = view;
  const chain = daemons.map(({ name, state, height, reason }) =>
    state === "live"
      ? `${name} ${paint("green", "live")} at ${height ?? "?"}`
      : `${name} ${paint("red", reason ?? state)}`,
  );
  const course = (values: readonly number[]) => paint("cyan", sparkline(values, courseWidth));
  const rate = pool ? hashrate(pool.hashrate1m) : "...";
  const perSecond = sharesPerSecond.at(-1)?.toFixed(2) ?? "...";
  return [
    `${paint(["bold", "cyan"], "Headframe")}  ${new Date(at).toTimeString().slice(0, 8)}`,
    `  pool    ${rate.padEnd(12)} ${course(hashrates)}   1 h: ${pool ? hashrate(pool.hashrate1h) : "..."}`,
    `  shares  ${`${perSecond} /s`.padEnd(12)} ${course(sharesPerSecond)}   ${shares(pool, paint)}`,
    `  chain   ${chain.join("   ") || "no daemon is known"}`,
    `  work    ${job ? `job ${job.id} for block ${job.height}, ${duration(at - job.templateAt)} old` : "none"}${pool ? `   round ${pool.round}   ${pool.blocks} blocks` : ""}`,
    ...troubles.map((trouble) => `  ${paint("red", `trouble ${trouble}`)}`),
  ];
}

function shares(pool: TopView["pool"], paint: Paint): string {
  if (!pool) return "";
  const spooled = pool.spooled > 0 ? paint("yellow", `   ${pool.spooled} in the spool`) : "";
  const bad = refusals(pool.rejected);
  return `${pool.accepted} accepted   rejected: ${bad || "0"}${spooled}`;
}

/** `11 of 12 ready: 2 stratum, 2 reporter, ...`, and a line for each that is not. */
function instancesInBrief(view: TopView, paint: Paint): string[] {
  const { instances: all } = view;
  const ready = all.filter(({ state }) => state === "ready");
  const services = [...new Set(all.map(({ service }) => service))].map(
    (service) => `${ready.filter((it) => it.service === service).length} ${service}`,
  );
  const count = paint(ready.length === all.length ? "green" : "yellow", `${ready.length} of ${all.length} ready`);
  const others = all.filter(({ state }) => state !== "ready").slice(0, INSTANCES_NOTED_MAX);
  const noted = others.length > 0 ? instances({ ...view, instances: others }, paint) : [];
  return [`  instances  ${count}: ${services.join(", ")}`, ...noted];
}

function instances({ instances: all, loads, at }: TopView, paint: Paint): string[] {
  const table = plainTable(["left", "left", "right", "right", "left"]);
  table.push(["  INSTANCE", "STATE", "AGE", "CLIENTS", "HOST", "VERSION"].map((title) => paint("dim", title)));
  for (const { id, state, startedAt, host, version } of all) {
    const shown = state === "ready" ? paint("green", state) : paint("yellow", state);
    table.push([`  ${id}`, shown, duration(at - startedAt), loads.get(id) ?? "-", host, version]);
  }
  return table.toString().split("\n");
}

function workers({ workers: all, sort, courses, at }: TopView, room: number, paint: Paint): string[] {
  const table = plainTable(["left", "right", "left", "right", "right", "right", "right"]);
  const titles = ["  WORKER", "1 MIN", "", "1 H", "ACCEPTED", "REJECTED", "LAST SHARE"];
  table.push(titles.map((title) => paint("dim", title)));
  const sorted = sortWorkers(all, sort);
  for (const it of sorted.slice(0, room)) {
    const course = paint("cyan", sparkline(courses.get(it.worker) ?? [], WORKER_COURSE_WIDTH));
    const last = it.lastShareAt === undefined ? "never" : `${duration(at - it.lastShareAt)} ago`;
    const rates = [hashrate(it.hashrate1m), course, hashrate(it.hashrate1h)];
    table.push([`  ${it.worker}`, ...rates, short(it.accepted), short(it.rejected), last]);
  }
  const more = sorted.length - room;
  return [...table.toString().split("\n"), ...(more > 0 ? [paint("dim", `  ... ${more} more`)] : [])];
}

export function sortWorkers(workers: readonly WorkerStats[], sort: Sort): WorkerStats[] {
  const by: Record<Sort, (it: WorkerStats) => number> = {
    hashrate: (it) => it.hashrate1m,
    accepted: (it) => it.accepted,
    rejected: (it) => it.rejected,
    "last share": (it) => it.lastShareAt ?? 0,
    name: () => 0,
  };
  return [...workers].sort((a, b) => by[sort](b) - by[sort](a) || a.worker.localeCompare(b.worker));
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
const rejectedIn = (rejected: Readonly<Record<string, number>>): number => sum(Object.values(rejected));
