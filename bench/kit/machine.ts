// On what a run was made: figures without it say nothing.

import { execFile } from "node:child_process";
import { cpus, loadavg, release, totalmem, type } from "node:os";
import { promisify } from "node:util";
import { ROOT } from "../../bin/paths.js";
import { peerVersions } from "./peers.js";

const run = promisify(execFile);

export interface Machine {
  readonly commit: string;
  /** Files that differ from it. */
  readonly changed: number;
  readonly hardware: string;
  readonly system: string;
  /** Of the last minute before the run: others who were at work. */
  readonly load: number;
  readonly versions: Readonly<Record<string, string>>;
}

export async function machine(): Promise<Machine> {
  const [first] = cpus();
  const changed = (await said("git", "status", "--porcelain")).split("\n").filter((line) => line !== "");
  return {
    commit: (await said("git", "rev-parse", "--short=10", "HEAD")) || "unknown",
    // What the run itself writes does not count.
    changed: changed.filter((line) => !/ bench\/(RESULTS\.md|results\/)/.test(line)).length,
    hardware: `${cpus().length} x ${first?.model.trim() ?? "unknown"}, ${(totalmem() / 2 ** 30).toFixed(0)} GB`,
    system: `${type()} ${release()}`,
    load: loadavg()[0] ?? Number.NaN,
    versions: {
      node: process.version.slice(1),
      redis: /v=([\d.]+)/.exec(await said("redis-server", "--version"))?.[1] ?? "absent",
      haproxy: /version ([\d.]+)/.exec(await said("haproxy", "-v"))?.[1] ?? "absent",
      "nats-server": /v([\d.]+)/.exec(await said("nats-server", "--version"))?.[1] ?? "absent",
      ...peerVersions(),
    },
  };
}

/** What a program prints; nothing when it is not there. */
async function said(program: string, ...args: string[]): Promise<string> {
  const env = { ...process.env, PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin` };
  return run(program, args, { cwd: ROOT, env }).then(
    ({ stdout }) => stdout.trim(),
    () => "",
  );
}
