// Picture: the house as nodes and links, from what everybody said of themselves. Pure.
//
//   miners -> HAProxy -> keeper -> edge -> stratum -> jobmanager -> daemon
//                                             \----> reporter -> Redis
//
//   V1. A node is `bad` only when it does not do its work; on its way in or out, or standing in for something, it is `warn`.
//   V2. What nobody could be asked about is not drawn: no guesses.
//   V3. What should be there and is not is drawn in red, until it is back, replaced, or not expected any more.

import type {
  DaemonStatus,
  EdgeContract,
  HaproxyContract,
  JobmanagerContract,
  ReporterContract,
  StratumContract,
} from "../../lib/contracts/index.js";
import { bySeniority, type Contract, type Instance, type MethodName, type ReplyOf } from "../../lib/wiring/index.js";
import type { MissingInstance } from "./missing.js";
import { type Health, type HouseView, type Link, type Node, nodeKind, SWAPPABLE } from "./model.js";
import type { ManagedProcess } from "./ports.js";

/** An instance and its answer to `status`, or why there is none. */
export interface Asked<C extends Contract> {
  readonly instance: Instance;
  readonly status?: ReplyOf<C, MethodName<C> & "status">;
  readonly error?: string;
}

export interface RedisReading {
  /** Which of our roles it has: discovery, state, shares. */
  readonly roles: readonly string[];
  readonly pingMs?: number;
  readonly error?: string;
}

/** What the process manager of this host says. */
export interface Managed {
  /** Undefined: no process manager answers; `manager` says why. */
  readonly processes: readonly ManagedProcess[] | undefined;
  readonly manager?: string;
  /** By watcher: how many processes there should be. */
  readonly expected: ReadonlyMap<string, number>;
}

export interface Readings extends Managed {
  readonly now: number;
  readonly jobmanagers: readonly Asked<JobmanagerContract>[];
  readonly stratums: readonly Asked<StratumContract>[];
  readonly edges: readonly Asked<EdgeContract>[];
  readonly reporters: readonly Asked<ReporterContract>[];
  readonly haproxies: readonly Asked<HaproxyContract>[];
  readonly redis: readonly RedisReading[];
  readonly missing: readonly MissingInstance[];
  /** This host's name: only its processes can be managed. */
  readonly host: string;
}

export function draw(readings: Readings): HouseView {
  const { edges, processes, manager } = readings;
  const connections = edges.reduce((sum, { status }) => sum + (status?.connections ?? 0), 0);
  const nodes = [
    minersNode(connections),
    ...readings.haproxies.map((it) => haproxyNode(it, readings.now)),
    ...keeperNodes(processes),
    ...instanceNodes(edges, (it) => edgeFacts(it)),
    ...instanceNodes(readings.stratums, ({ status }) => ({ load: clients(status?.connections ?? 0) })),
    ...instanceNodes(readings.reporters, ({ status }) => reporterFacts(status)),
    ...instanceNodes(readings.jobmanagers, ({ status }) => jobFacts(status)),
    ...daemonNodes(readings.jobmanagers),
    ...readings.redis.map(redisNode),
  ];
  nodes.push(
    ...readings.missing.filter(({ instance }) => !nodes.some(({ id }) => id === instance.id)).map(missingNode),
  );
  nodes.push(...absentNodes(readings, nodes));
  const watchers = new Set(processes?.map(({ watcher }) => watcher));
  return {
    nodes: nodes.map((it) => withProcess(it, readings)),
    links: linksOf(readings, nodes),
    swappable: SWAPPABLE.filter((name) => watchers.has(name === "edge" ? "keeper" : name)),
    ...(manager === undefined ? {} : { manager }),
    connections,
  };
}

/** V3: it vanished from discovery. */
function missingNode({ instance, sinceMs }: MissingInstance): Node {
  const { id, service, pid, host, version } = instance;
  const kind = nodeKind.safeParse(service).data ?? "other";
  const since = new Date(sinceMs).toISOString().slice(11, 19);
  return {
    ...{ id, name: kind === "haproxy" ? "controller" : id, kind, health: "bad", state: "missing", pid, host, version },
    note: `its heartbeats stopped (noticed at ${since} UTC): killed, hanging, or cut off from Redis`,
  };
}

/** The watchers whose processes, or whose children, are drawn; by the kind of node. */
const DRAWN: Readonly<Record<string, Node["kind"]>> = {
  jobmanager: "jobmanager",
  stratum: "stratum",
  reporter: "reporter",
  keeper: "keeper",
  haproxy: "haproxy",
};
/** A process is given so long to stand in discovery. */
const STARTS_MS = 15_000;

/** V3: what the process manager is meant to run, and nobody else has named. */
function absentNodes(readings: Readings, drawn: readonly Node[]): Node[] {
  const { processes = [], expected, now, host, edges } = readings;
  const absent: Node[] = [];
  for (const [watcher, kind] of Object.entries(DRAWN)) {
    const running = processes.filter((it) => it.watcher === watcher);
    const own = drawn.filter((it) => it.kind === kind && (it.host === undefined || it.host === host));
    for (const { pid, startedAt } of running) {
      if (own.some((it) => it.pid === pid) || (kind === "haproxy" && own.some(({ state }) => state !== "missing")))
        continue;
      const starting = now - startedAt < STARTS_MS;
      const why =
        kind === "haproxy"
          ? "it runs; its controller, which knows more, does not"
          : `process ${pid} runs, and discovery does not list it: it hangs, or Redis is out of its reach`;
      absent.push({
        ...{ id: `${kind}:${pid}`, name: kind, kind, pid, host, startedAt },
        ...(starting
          ? { health: "warn", state: "starting" }
          : {
              health: kind === "haproxy" ? "warn" : "bad",
              state: kind === "haproxy" ? "running" : "silent",
              note: why,
            }),
      });
    }
    if (expected.get(watcher) === 0 && running.length === 0) {
      const note = `stopped at the process manager: \`circusctl start ${watcher}\` starts it`;
      absent.push({ id: `stopped:${watcher}`, name: kind, kind, health: "warn", state: "stopped", host, note });
    }
    const known = Math.max(running.length, own.filter(({ state }) => state === "missing").length);
    for (let i = known; i < (expected.get(watcher) ?? 0); i++) {
      const note = `${running.length} of ${expected.get(watcher)} processes run: see \`headframe logs --service ${watcher}\``;
      absent.push({ id: `absent:${watcher}:${i}`, name: kind, kind, health: "bad", state: "missing", host, note });
    }
  }
  const isServed = edges.some(({ instance }) => instance.host === host && instance.state === "ready");
  const isDrawn = drawn.some((it) => it.kind === "edge" && it.health === "bad");
  if ((expected.get("keeper") ?? 0) > 0 && !isServed && !isDrawn) {
    const note = "no edge of this host is ready: clients are held, and nobody answers them";
    absent.push({ id: "absent:edge", name: "edge", kind: "edge", health: "bad", state: "missing", host, note });
  }
  return absent;
}

type Facts = Partial<Pick<Node, "health" | "state" | "note" | "load">>;

function instanceNodes<C extends Contract>(asked: readonly Asked<C>[], facts: (it: Asked<C>) => Facts): Node[] {
  const sorted = [...asked].sort((a, b) => bySeniority(a.instance, b.instance));
  return sorted.map((it, i) => instanceNode(it, i === 0 && asked.length > 1, facts(it)));
}

function instanceNode<C extends Contract>({ instance, error }: Asked<C>, senior: boolean, facts: Facts): Node {
  const { id, service, state, startedAt, pid, host, version } = instance;
  const answered = error === undefined;
  const usually: Health = state === "ready" ? (answered ? "good" : "bad") : "warn"; // V1
  return {
    ...{ id, name: id, kind: service as Node["kind"], health: usually, state, startedAt, pid, host, version },
    ...(senior && { senior }),
    ...(state === "ready" && { drain: id }),
    ...(answered || state !== "ready" ? facts : { note: error }),
  };
}

const minersNode = (connections: number): Node => ({
  ...{ id: "miners", kind: "miners", name: "miners", health: "good", state: "connected", load: clients(connections) },
});

function haproxyNode({ instance, status, error }: Asked<HaproxyContract>, now: number): Node {
  const { running, problem, servers = [], bans = [] } = status ?? {};
  const common = { id: `haproxy:${instance.host}`, kind: "haproxy", name: "HAProxy", host: instance.host } as const;
  if (!running) {
    const state = status ? "away" : "unknown";
    return {
      ...common,
      health: status ? "bad" : "warn",
      state,
      note: problem ?? error ?? "its controller does not answer",
    };
  }
  const up = servers.filter(({ state }) => /^(up|ready|no check|open)/i.test(state)).length;
  const banned = bans.length === 0 ? [] : [`${bans.length} banned`];
  const old = running.oldWorkers === 0 ? [] : [`${running.oldWorkers} old workers`];
  return {
    ...common,
    health: problem === undefined ? "good" : "warn",
    state: "running",
    note: problem ?? [`${up} of ${servers.length} servers up`, ...banned, ...old].join(", "),
    load: clients(running.sessions),
    pid: running.pid,
    version: running.version,
    startedAt: Math.max(0, Math.round(now - running.uptimeSeconds * 1_000)),
  };
}

/** There is no one to ask: a keeper speaks to nobody. That its process runs is what is known. */
function keeperNodes(processes: readonly ManagedProcess[] = []): Node[] {
  const keepers = processes.filter(({ watcher }) => watcher === "keeper");
  return keepers.map(({ pid, startedAt }) => ({
    ...{ id: `keeper:${pid}`, kind: "keeper", name: "keeper", health: "good", state: "running", pid, startedAt },
  }));
}

function edgeFacts({ instance, status }: Asked<EdgeContract>): Facts {
  if (instance.state === "starting") return { health: "good", state: "stands by" };
  if (!status) return {};
  const waiting = status.unacknowledgedLines;
  return { load: clients(status.connections), note: `epoch ${status.epoch}, ${waiting} lines in hand` };
}

function reporterFacts(status: ReplyOf<ReporterContract, "status"> | undefined): Facts {
  if (!status) return {};
  const waiting = status.spool?.length ?? 0;
  if (status.recording === "redis") return waiting === 0 ? {} : { note: `${waiting} shares flow back to Redis` };
  return {
    health: "warn",
    state: "spooling",
    note: `${waiting} shares wait on disk: ${status.trouble ?? "Redis is away"}`,
  };
}

function jobFacts(status: ReplyOf<JobmanagerContract, "status"> | undefined): Facts {
  if (!status) return {};
  return status.job ? { note: `work on block ${status.job.height}` } : { health: "bad", note: "no work yet" };
}

/** What each jobmanager says of a daemon, by the daemon's name. */
function daemonViews(jobmanagers: Readings["jobmanagers"]): ReadonlyMap<string, readonly DaemonStatus[]> {
  const views = new Map<string, DaemonStatus[]>();
  for (const { status } of jobmanagers) {
    for (const daemon of status?.daemons ?? []) views.set(daemon.name, [...(views.get(daemon.name) ?? []), daemon]);
  }
  return views;
}

function daemonNodes(jobmanagers: Readings["jobmanagers"]): Node[] {
  return [...daemonViews(jobmanagers)].map(([name, views]) => {
    const live = views.filter(({ state }) => state === "live");
    const worst = views.find(({ state }) => state !== "live");
    const best = live[0] ?? views[0];
    const took = best?.roundTripMs === undefined ? [] : [`answers in ${best.roundTripMs.toFixed(0)} ms`];
    const tips = best?.tipSource === undefined ? [] : [`tips by ${best.tipSource}`];
    const note = worst?.reason ?? [...took, ...tips].join(", ");
    return {
      ...{ id: `daemon:${name}`, kind: "daemon", name, state: (worst ?? best)?.state ?? "unknown" },
      health: live.length === 0 ? "bad" : worst ? "warn" : "good",
      ...(note && { note }),
      ...(best?.height === undefined ? {} : { load: `block ${best.height}` }),
    };
  });
}

function redisNode({ roles, pingMs, error }: RedisReading): Node {
  const note = error ?? `answers in ${(pingMs ?? 0).toFixed(1)} ms`;
  return {
    ...{ id: `redis:${roles.join("+")}`, kind: "redis", name: "Redis", note, load: roles.join(", ") },
    ...(error === undefined ? { health: "good", state: "connected" } : { health: "bad", state: "away" }),
  };
}

/** What the manager of this host knows of the process behind a node. */
function withProcess(it: Node, { processes = [], host }: Readings): Node {
  const own = it.host === undefined || it.host === host;
  const found = processes.find(({ pid, watcher }) =>
    it.pid === undefined ? own && watcher === (it.kind === "redis" ? "redis" : it.name) : own && pid === it.pid,
  );
  if (!found) return it;
  const { pid, startedAt, memoryBytes, cpu } = found;
  return {
    ...{ pid, startedAt, ...it },
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(cpu === undefined ? {} : { cpu }),
  };
}

function linksOf(readings: Readings, nodes: readonly Node[]): Link[] {
  const ids = (kind: Node["kind"]) => nodes.filter((it) => it.kind === kind).map(({ id }) => id);
  const healthOf = (id: string): Health => nodes.find((it) => it.id === id)?.health ?? "bad";
  const each = (from: readonly string[], to: readonly string[]): Link[] =>
    from.flatMap((a) => to.map((b) => ({ from: a, to: b, health: worse(healthOf(a), healthOf(b)) })));
  const doors = ids("keeper").length > 0 ? ids("keeper") : ids("edge");
  const redis = readings.redis.filter(({ roles }) => roles.includes("shares")).map((it) => redisNode(it).id);
  return [
    ...each(["miners"], ids("haproxy").length > 0 ? ids("haproxy") : doors),
    ...each(ids("haproxy"), doors),
    ...(ids("keeper").length > 0 ? each(doors, ids("edge")) : []),
    ...readings.edges.flatMap(backendLinks),
    ...each(ids("stratum"), ids("reporter")),
    ...each(ids("stratum"), ids("jobmanager")),
    ...readings.jobmanagers.flatMap(daemonLinks),
    ...each(ids("reporter"), redis),
  ];
}

function backendLinks({ instance, status }: Asked<EdgeContract>): Link[] {
  return (status?.backends ?? []).map(({ id, connections }) => ({
    ...{ from: instance.id, to: id, health: "good" as const, label: String(connections) },
  }));
}

function daemonLinks({ instance, status }: Asked<JobmanagerContract>): Link[] {
  return (status?.daemons ?? []).map(({ name, state }) => ({
    ...{ from: instance.id, to: `daemon:${name}`, health: state === "live" ? ("good" as const) : ("bad" as const) },
  }));
}

const RANK: Readonly<Record<Health, number>> = { good: 0, warn: 1, bad: 2 };
const worse = (a: Health, b: Health): Health => (RANK[a] >= RANK[b] ? a : b);

const clients = (count: number): string => `${count} ${count === 1 ? "client" : "clients"}`;
