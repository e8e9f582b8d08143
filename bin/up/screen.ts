// The live screen: a view in, lines of text out. Pure, so that a test can read it.
//
// One glance must answer: is it running, is it earning, is anyone unhappy, what just happened.

import { cut, firstThatFits } from "../draw/fit.js";
import { type Paint, painter } from "../draw/paint.js";
import { plainTable } from "../table.js";
import type { Mood, View } from "./view.js";

export interface ScreenOptions {
  readonly columns: number;
  readonly rows: number;
  readonly colours: boolean;
}

const EVENTS_MIN = 4;
const BLOCKS_MAX = 5;
const PROCESSES_NOTED_MAX = 4;
/** Below the blocks: an empty line, the title of the events, an empty line and the last line. */
const FRAME_LINES = 4;

/** At most `rows - 1` lines: where all processes do not fit, only those that need attention are listed. */
export function drawScreen(view: View, options: ScreenOptions): string {
  const paint = painter(options.colours);
  const head = (rows: readonly string[], blocksMax: number) => [
    ...headline(view, paint),
    "",
    ...rows,
    ...(view.mining ? ["", ...blocks(view, blocksMax, paint)] : []),
  ];
  const variants = [
    head(processes(view, paint), BLOCKS_MAX),
    head(processesInBrief(view, paint), BLOCKS_MAX),
    head(processesInBrief(view, paint), 2),
    [...headline(view, paint), "", ...processesInBrief(view, paint)],
  ];
  const top = firstThatFits(variants, { rows: options.rows, restMin: FRAME_LINES + EVENTS_MIN });
  const room = Math.max(1, options.rows - 1 - top.length - FRAME_LINES);
  const events = view.events
    .slice(-room)
    .map((event) => `  ${clock(event.at)}  ${mood(event.mood, event.text, paint)}`);
  const foot = paint("dim", `Ctrl-C stops everything. Logs: ${view.runDirectory}/logs`);
  return cut([...top, "", paint("bold", "Recent events"), ...events, "", foot], options);
}

function headline(view: View, paint: Paint): string[] {
  const { pool, job, clients } = view;
  const daemons = view.daemons.map((daemon) => {
    const state = daemon.state === "live" ? paint("green", "live") : paint("red", daemon.reason ?? daemon.state);
    return `${daemon.name} ${state}${daemon.height === undefined ? "" : ` at ${daemon.height}`}`;
  });
  const dropped =
    clients.disconnects === 0 ? paint("green", "0 disconnects") : paint("red", `${clients.disconnects} disconnects`);
  const mining = [
    `  chain    ${daemons.join("   ") || "waiting for a daemon"}`,
    `  work     ${job ? `job ${job.id} for block ${job.height}, ${duration(view.now - job.templateAt)} old` : "none yet"}`,
    `  pool     ${pool ? `${hashrate(pool.hashrate1m)}   ${pool.workersActive} workers   round ${pool.round}   ${paint("yellow", `${pool.blocks} blocks`)}` : "..."}`,
    `  shares   ${pool ? `${pool.accepted} accepted   ${pool.recorded} recorded   ${pool.rejected} rejected` : "..."}`,
  ];
  return [
    `${paint(["bold", "cyan"], "Headframe")}  up ${duration(view.elapsedMs)}   ${view.addresses.join("  ")}`,
    "",
    ...(view.mining ? mining : []),
    `  clients  ${clients.connections} connected   ${dropped}`,
  ];
}

function processes(view: View, paint: Paint): string[] {
  return drawProcesses(view.processes, paint);
}

const isWell = ({ state }: View["processes"][number]): boolean => state === "active" || state === "ready";

/** A count, and the processes that are not ready or were restarted. */
function processesInBrief({ processes: all }: View, paint: Paint): string[] {
  const noted = all.filter((row) => !isWell(row) || row.restarts > 0).slice(0, PROCESSES_NOTED_MAX);
  const ready = all.filter(isWell).length;
  const count = `  processes  ${paint(ready === all.length ? "green" : "yellow", `${ready} of ${all.length} ready`)}`;
  return [count, ...(noted.length > 0 ? drawProcesses(noted, paint) : [])];
}

function drawProcesses(rows: View["processes"], paint: Paint): string[] {
  const table = plainTable(["left", "right", "left", "right", "right"]);
  table.push(["  process", "pid", "state", "age", "restarts", ""].map((title) => paint("dim", title)));
  for (const row of rows) {
    const state = isWell(row) ? paint("green", row.state) : paint("yellow", row.state);
    const restarts = row.restarts === 0 ? "0" : paint("yellow", String(row.restarts));
    table.push([`  ${row.name}`, String(row.pid ?? "-"), state, duration(row.ageMs), restarts, row.note]);
  }
  return table.toString().split("\n");
}

function blocks(view: View, most: number, paint: Paint): string[] {
  if (view.blocks.length === 0) return [paint("bold", "Blocks"), "  none yet"];
  const table = plainTable();
  for (const block of view.blocks.slice(0, most)) {
    const age = `${duration(view.now - block.foundAt)} ago`;
    table.push([`  ${block.height}`, `${block.hash.slice(0, 20)}...`, block.worker, block.status, age]);
  }
  return [paint("bold", "Blocks"), ...table.toString().split("\n")];
}

function mood(value: Mood, text: string, paint: Paint): string {
  if (value === "good") return paint("green", text);
  if (value === "bad") return paint("red", text);
  if (value === "block") return paint(["bold", "yellow"], text);
  return text;
}

const clock = (at: number): string => new Date(at).toTimeString().slice(0, 8);

/** 4s, 3m 12s, 5h 2m, 2d 4h. */
export function duration(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1_000));
  if (s < 60) return `${s}s`;
  if (s < 3_600) return `${Math.floor(s / 60)}m ${s % 60}s`;
  if (s < 86_400) return `${Math.floor(s / 3_600)}h ${Math.floor((s % 3_600) / 60)}m`;
  return `${Math.floor(s / 86_400)}d ${Math.floor((s % 86_400) / 3_600)}h`;
}

/** 12.3 kH/s: three digits and the unit. */
export function hashrate(hashesPerSecond: number): string {
  const units = ["H/s", "kH/s", "MH/s", "GH/s", "TH/s", "PH/s", "EH/s"];
  let value = hashesPerSecond;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return `${value.toPrecision(3)} ${units[unit]}`;
}
