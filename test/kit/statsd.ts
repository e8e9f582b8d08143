// statsd: the real server (npm's `statsd`, by its authors), in a process of its own, and what it has counted.
//
//   const server = await startStatsd();
//   await server.counters();   // name -> sum, as its management port tells

import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { atEnd } from "./cleanup.js";
import { freePort } from "./ports.js";
import { until } from "./until.js";

const PROGRAM = createRequire(import.meta.url).resolve("statsd/stats.js");
/** It was written when Node still had util.log. */
const SHIM = 'data:text/javascript,import util from "node:util"; util.log ??= console.log;';
const START_MS = 10_000;

export interface StatsdServer {
  readonly port: number;
  /** What it was told since its start: `counters`, `gauges`, `timers`; its own figures are left out. */
  ask(what: "counters" | "gauges" | "timers"): Promise<Record<string, unknown>>;
  stop(): Promise<void>;
}

/** @param port Default: a free one. */
export async function startStatsd(port?: number): Promise<StatsdServer> {
  const folder = await mkdtemp(join(tmpdir(), "statsd-"));
  atEnd(() => rm(folder, { recursive: true, force: true }));
  const own = port ?? (await freePort());
  const managementPort = await freePort();
  const file = join(folder, "config.js");
  // No backend, and never flushed: what it has counted stays to be asked for.
  const config = {
    port: own,
    address: "127.0.0.1",
    mgmt_port: managementPort,
    mgmt_address: "127.0.0.1",
    backends: [],
  };
  await writeFile(file, JSON.stringify({ ...config, flushInterval: 600_000 }));
  const child = execa(process.execPath, ["--no-warnings", "--import", SHIM, PROGRAM, file], { reject: false });
  const stop = async () => {
    child.kill("SIGKILL");
    await child;
  };
  atEnd(stop);
  const ask = async (what: string) => parse(await say(managementPort, what));
  await until("statsd answers", START_MS, async () => (await say(managementPort, "health")).includes("health"));
  return { port: own, ask, stop };
}

async function say(port: number, words: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.write(`${words}\n`);
  let said = "";
  socket.setEncoding("utf8").on("data", (text: string) => {
    said += text;
    if (said.includes("END") || said.startsWith("health")) socket.end();
  });
  await once(socket, "close");
  return said;
}

/** Its answers are what Node prints of an object, then END. */
function parse(text: string): Record<string, unknown> {
  const body = text.slice(0, text.indexOf("END")).trim();
  const pairs = [...body.matchAll(/'?([\w.;=-]+)'?: (\[[^\]]*\]|[-\d.e+]+)/g)].map(([, name = "", value = ""]) => {
    return [name, value.startsWith("[") ? value.slice(1, -1).split(",").map(Number) : Number(value)] as const;
  });
  return Object.fromEntries(pairs.filter(([name]) => !name.startsWith("statsd.")));
}
