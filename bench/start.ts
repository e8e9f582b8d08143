// start: from `headframe up` to the first accepted share of the demo miner: Redis, two litecoind, the whole pool, and a miner.
//
// Cold: the operating system has none of the files in memory (where this run may make it forget them). Warm: it has.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BIN } from "../bin/paths.js";
import { median } from "./kit/load.js";
import type { Benchmark, Row } from "./kit/report.js";

const WARM_STARTS = 3;
const LIMIT_MS = 90_000;
const FORGET = "/proc/sys/vm/drop_caches";

interface Started {
  readonly upMs: number;
  readonly shareMs: number;
}

export const start: Benchmark = async ({ rounds, scale, signal, tell }) => {
  const notes: string[] = [];
  const full = scale === 1; // Less is a trial: whoever runs it keeps his machine's memory as it is.
  const forget = () =>
    writeFile(FORGET, "3").then(
      () => true,
      () => false,
    );
  const forgotten = full && (await forget());
  if (full && !forgotten)
    notes.push("The cold start is left out: this run may not make the operating system forget its files.");
  const rows: Row[] = [];
  if (forgotten) {
    tell("start: cold");
    rows.push(...rowsOf("cold", [await oneStart(signal)]));
  }
  const warm: Started[] = [];
  for (let i = 0; i < Math.min(rounds, WARM_STARTS); i++) {
    tell(`start: warm, ${i + 1}`);
    warm.push(await oneStart(signal));
  }
  rows.push(...rowsOf("warm", warm));
  return {
    ...{ name: "start", title: "From `headframe up` to the first accepted share" },
    rows,
    floors: [],
    plots: [],
    notes,
  };
};

function rowsOf(what: string, all: readonly Started[]): Row[] {
  const row = (name: string, ms: readonly number[]): Row => ({
    what: `${what}: ${name}`,
    n: ms.length,
    p50: 1_000 * median(ms),
  });
  return [
    row(
      "every process serves",
      all.map(({ upMs }) => upMs),
    ),
    row(
      "first accepted share",
      all.map(({ shareMs }) => shareMs),
    ),
  ];
}

async function oneStart(signal: AbortSignal): Promise<Started> {
  const folder = await mkdtemp(join(tmpdir(), "headframe-bench-"));
  const fromMs = performance.now();
  const child = spawn(process.execPath, [BIN, "up"], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  const exited = once(child, "exit");
  const ask = () => void child.kill("SIGTERM");
  const timer = setTimeout(ask, LIMIT_MS);
  signal.addEventListener("abort", ask);
  let said = "";
  let upMs = Number.NaN;
  let shareMs = Number.NaN;
  child.stdout.on("data", (chunk: Buffer) => {
    said += chunk;
    if (Number.isNaN(upMs) && said.includes("all up after")) upMs = performance.now() - fromMs;
    if (!Number.isNaN(shareMs) || !/ share by .* accepted/.test(said)) return;
    shareMs = performance.now() - fromMs;
    ask();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk;
  });
  await exited;
  clearTimeout(timer);
  signal.removeEventListener("abort", ask);
  await rm(folder, { recursive: true, force: true });
  if (Number.isNaN(shareMs)) throw new Error(`no share was accepted in ${LIMIT_MS} ms:\n${said.slice(-2_000)}`);
  return { upMs, shareMs };
}
