// Tables of what the pool knows, for people. Pure: data in, text out.

import type { BlockRecord, LoggedShare, Miner, Round } from "../../lib/contracts/index.js";
import { plainTable } from "../table.js";
import { duration, hashrate } from "../up/screen.js";

const ago = (now: number, at: number | undefined): string => (at === undefined ? "never" : `${duration(now - at)} ago`);

/** 12.3k: three digits, so that columns stay narrow. */
export function short(value: number): string {
  const units = ["", "k", "M", "G", "T", "P", "E"];
  let unit = 0;
  let rest = value;
  for (; Math.abs(rest) >= 1_000 && unit < units.length - 1; unit++) rest /= 1_000;
  return unit === 0 ? String(Number(rest.toPrecision(3))) : `${rest.toPrecision(3)}${units[unit]}`;
}

/** `3 stale, 1 duplicate`; empty when nothing was refused. */
export const refusals = (rejected: Readonly<Record<string, number | undefined>>): string =>
  Object.entries(rejected)
    .flatMap(([reason, count]) => (count ? [`${count} ${reason}`] : []))
    .join(", ");

/** After a swap or a restart the counts begin anew, however long the miner is connected. */
const SINCE =
  "Hashrate and accepted shares count from when the present instance took the connection over; all shares: headframe shares.";

export function drawMiners(miners: readonly (Miner & { readonly instance: string })[], now: number): string {
  if (miners.length === 0) return "No such miner is connected.\n";
  const table = plainTable(["left", "left", "left", "right", "right", "right", "right", "right"]);
  table.push(["WORKER", "ADDRESS", "CONNECTION", "DIFFICULTY", "HASHRATE", "ACCEPTED", "LAST SHARE", "CONNECTED"]);
  for (const it of miners) {
    const worker = it.workers.join(" ") || (it.phase === "mining" ? "(not authorized)" : "(subscribing)");
    const difficulty = it.difficulty === undefined ? "-" : short(it.difficulty);
    const told = [hashrate(it.hashrate), it.accepted, ago(now, it.lastShareAt), duration(now - it.since)];
    table.push([worker, it.address, it.connection, difficulty, ...told]);
  }
  return `${table.toString()}\n\n${SINCE}\n`;
}

/** One miner, everything that is known of it. */
export function drawMiner(it: Miner & { readonly instance: string }, now: number): string {
  const rows: [string, string][] = [
    ["workers", it.workers.join(", ") || "none authorized"],
    ["address", it.address],
    ["listener", it.listener],
    ["agent", it.agent || "unknown"],
    ["served by", `${it.instance}, for ${duration(now - it.servedSince)}`],
    ["connected", `${duration(now - it.since)} (since ${new Date(it.since).toISOString()})`],
    ["difficulty", it.difficulty === undefined ? "none yet" : String(it.difficulty)],
    ["hashrate", `${hashrate(it.hashrate)} (here and below: since the present instance took it over)`],
    ["last share", ago(now, it.lastShareAt)],
    ["accepted", String(it.accepted)],
    ["rejected", refusals(it.rejected) || "0"],
  ];
  return `${it.connection}\n${rows.map(([name, value]) => `  ${name.padEnd(11)} ${value}\n`).join("")}`;
}

export function drawBlocks(blocks: readonly BlockRecord[], now: number): string {
  if (blocks.length === 0) return "No block was found yet.\n";
  const table = plainTable(["right", "left", "left", "left", "right", "right", "left"]);
  table.push(["HEIGHT", "STATUS", "HASH", "FOUND BY", "CONFIRMATIONS", "ROUND", "FOUND"]);
  for (const { height, status, hash, worker, confirmations, round, foundAt, reason } of blocks) {
    const told = reason === undefined ? status : `${status}: ${reason}`;
    table.push([height, told, hash, worker, confirmations, round ?? "-", ago(now, foundAt)]);
  }
  return `${table.toString()}\n`;
}

/** Workers of a round that are named; the rest are counted. */
const ROUND_WORKERS_SHOWN = 3;

export function drawRounds(rounds: readonly Round[], now: number): string {
  if (rounds.length === 0) return "No share was recorded yet, so there is no round.\n";
  const table = plainTable(["right", "left", "right", "right", "right", "left"]);
  table.push(["ROUND", "STATE", "LASTED", "SHARES", "DIFFICULTY", "WORKERS"]);
  for (const it of rounds) {
    const state = it.closedAt === undefined ? "open" : `block ${it.height ?? "?"}, ${ago(now, it.closedAt)}`;
    const part = (credited: number) => `${((credited / (it.difficultySum || 1)) * 100).toFixed(1)} %`;
    const named = it.workers
      .slice(0, ROUND_WORKERS_SHOWN)
      .map(({ worker, difficulty }) => `${worker} ${part(difficulty)}`);
    const more = it.workerCount - named.length;
    const workers = [...named, ...(more > 0 ? [`${more} more`] : [])].join(", ");
    const lasted = duration((it.closedAt ?? now) - it.openedAt);
    table.push([it.round, state, lasted, it.shares, short(it.difficultySum), workers]);
  }
  return `${table.toString()}\n`;
}

/** One line. */
export function drawShare({ at, worker, difficulty, achieved, job, height, block, connection, line, id }: LoggedShare) {
  const time = new Date(at).toISOString().slice(11, 23);
  const worth = `${short(difficulty)} (reached ${short(achieved)})`;
  const found = block ? "  BLOCK" : "";
  return `${time}  ${worker.padEnd(20)}  ${worth.padEnd(24)}  height ${height}  job ${job}  ${connection}#${line}  ${id.slice(0, 16)}${found}`;
}
