// This machine: Node, open files, ports, disk, HAProxy's program, and who may read the configuration.

import { readFileSync, statSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { createServer } from "node:net";
import { hostname } from "node:os";
import { execa } from "execa";
import type { Instance } from "../../lib/wiring/index.js";
import type { Config } from "../config.js";
import { bad, type Finding, good, warning } from "./finding.js";

const NODE_MIN = [20, 19] as const;
const HAPROXY_MIN = [2, 6] as const;
/** For logs, sockets, Redis, daemons, and the files of a process itself. */
const FILES_BESIDE = 512;
/** HAProxy holds two ends of a connection; keeper and edge one each, in processes of their own. */
const FILES_PER_CONNECTION = 2;
/** Fewer are no pool. */
const CONNECTIONS_MIN = 1_000;

export function judgeNode(version: string): Finding {
  const enough = atLeast(version, NODE_MIN);
  return enough
    ? good("node", version)
    : bad("node", `${version} is too old`, `install Node ${NODE_MIN.join(".")} or newer, such as 22`);
}

function atLeast(version: string, [wantedMajor, wantedMinor]: readonly [number, number]): boolean {
  const [major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(version) ?? []).slice(1).map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

/**
 * @param limits soft: open files that a process may have, as it starts; hard: what it may raise that to.
 * @param wanted Connections that are configured; undefined: as many as the limit allows.
 */
export function judgeFiles({ soft, hard }: { soft: number; hard: number }, wanted: number | undefined): Finding {
  const connections = wanted ?? CONNECTIONS_MIN;
  const needed = FILES_PER_CONNECTION * connections + FILES_BESIDE;
  const allowed = Math.floor((soft - FILES_BESIDE) / FILES_PER_CONNECTION);
  const text = `${soft} open files allowed per process: enough for ${Math.max(0, allowed)} connections`;
  if (soft >= needed) return good("open files", text);
  const short = `${text}, not for ${connections}`;
  const how = `ulimit -n ${needed}    (systemd: LimitNOFILE=${needed})`;
  return hard >= needed ? warning("open files", short, how) : bad("open files", short, how);
}

/** Edges that run here under a limit of their own: what this process may open says nothing of them. */
export function judgeRunning(instances: readonly Instance[], connections: number): Finding[] {
  const here = instances.filter((it) => it.service === "edge" && it.host === hostname());
  return here.flatMap(({ id, pid }) => {
    const soft = openFileLimits(pid)?.soft;
    const needed = connections + FILES_BESIDE;
    if (soft === undefined || soft >= needed) return [];
    const text = `${soft} open files allowed: enough for ${Math.max(0, soft - FILES_BESIDE)} clients, not for ${connections} (edge.connectionsMax)`;
    return [
      warning(
        `${id}: open files`,
        text,
        `start the keeper under ulimit -n ${needed}    (systemd: LimitNOFILE=${needed})`,
      ),
    ];
  });
}

/** Of this process, which what it starts inherits, or of another one. */
export function openFileLimits(pid: number | "self" = "self"): { soft: number; hard: number } | undefined {
  try {
    const limits = readFileSync(`/proc/${pid}/limits`, "utf8");
    const [, soft, hard] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(limits) ?? [];
    const number = (text: string | undefined) => (text === "unlimited" ? Number.POSITIVE_INFINITY : Number(text));
    return { soft: number(soft), hard: number(hard) };
  } catch {
    return undefined; // Not Linux, or it has ended.
  }
}

/** A port that clients are to connect to: free before a start, HAProxy's while the pool runs. */
export async function checkPort(host: string, port: number, haproxyRuns: boolean): Promise<Finding> {
  const what = `port ${port}`;
  const taken = await isTaken(host === "*" ? "0.0.0.0" : host, port);
  const who = `ss -ltnp 'sport = :${port}'    shows the process`;
  if (taken === "EACCES") return bad(what, "needs privileges", `sysctl net.ipv4.ip_unprivileged_port_start=${port}`);
  if (taken === "EADDRNOTAVAIL")
    return bad(what, `${host} is not an address of this machine`, "correct haproxy.listeners");
  if (haproxyRuns && taken) return good(what, `${host}:${port} is served by HAProxy`);
  if (haproxyRuns) return bad(what, "HAProxy runs but does not listen there", "headframe call haproxy reload");
  return taken ? bad(what, "another process listens there already", who) : good(what, `${host}:${port} is free`);
}

/** The reason why nobody can listen there; undefined: somebody could. */
function isTaken(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "unknown"));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

export async function checkHaproxyProgram(program: string): Promise<Finding> {
  const env = { PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin` };
  const { stdout, failed } = await execa(program, ["-v"], { reject: false, env });
  const version = /version (\S+)/.exec(String(stdout ?? ""))?.[1];
  if (failed || !version) return bad("haproxy", `the program ${program} does not run`, "apt install haproxy");
  return atLeast(version, HAPROXY_MIN)
    ? good("haproxy", `version ${version}`)
    : bad("haproxy", `version ${version} is too old`, `install HAProxy ${HAPROXY_MIN.join(".")} or newer`);
}

/** Where shares wait while Redis is away: a full disk there leaves them unanswered. */
export async function checkSpoolDisk({ reporter }: Config): Promise<Finding[]> {
  const { directory, bytesMax } = reporter.spool;
  if (directory === undefined || bytesMax === 0) {
    return [warning("spool", "is off: while Redis is down, no share is answered", "set reporter.spool.bytesMax")];
  }
  const free = await freeBytes(directory);
  if (free === undefined) return [];
  const text = `${mib(free)} free for up to ${mib(bytesMax)} of waiting shares`;
  return [free >= bytesMax ? good("spool", text) : bad("spool", text, `free space in ${directory}: df -h`)];
}

/** Of the nearest folder that is there. */
async function freeBytes(folder: string): Promise<number | undefined> {
  for (let at = folder; ; at = `${at}/..`) {
    try {
      const { bavail, bsize } = await statfs(at);
      return bavail * bsize;
    } catch {
      if (at.length > folder.length + 64) return undefined;
    }
  }
}

const mib = (bytes: number): string => `${Math.round(bytes / 1_048_576)} MiB`;

/** Passwords stand in it. */
export function judgeConfigFile({ file }: Config): Finding[] {
  if (file === undefined) return [];
  const { mode } = statSync(file);
  const others = mode & 0o077;
  return others === 0
    ? [good("configuration", `${file}, readable by its owner only`)]
    : [warning("configuration", `${file} can be read by other users and may contain passwords`, `chmod 600 ${file}`)];
}
