// report: what the controller says of its HAProxy: in `ps`, in its status, in the log, in the metrics.

import type { Ban, HaproxyContract } from "../lib/contracts/index.js";
import type { Log, Metrics, ReplyOf } from "../lib/wiring/index.js";
import type { Verdict } from "./bans.js";
import type { MetricName } from "./metrics.js";
import type { View } from "./upkeep.js";

/** `ps` takes 256 characters for a field. */
const PROBLEM_CHARACTERS_MAX = 120;

export class Report {
  reloads = 0;
  #problem: string | undefined;
  #pid: number | undefined;
  #seen = false;

  constructor(
    private readonly log: Log,
    private readonly metrics: Metrics,
  ) {}

  /** The fields of `ps`. Also tells the metrics, and the log once what is new. */
  of(view: View, banned: number): Record<string, string> {
    this.#news(view);
    this.#measure(view, banned);
    const { info, sessions, servers, problem, oldWorkers } = view;
    const state = info ? `${info.version} pid ${info.pid}` : "down";
    return {
      haproxy: state,
      servers: `${up(servers)}/${servers.length} up`,
      sessions: `${sessions}${oldWorkers > 0 ? ` (+${oldWorkers} old workers)` : ""}`,
      reloads: String(this.reloads),
      banned: String(banned),
      problem: problem?.slice(0, PROBLEM_CHARACTERS_MAX) ?? "", // One that is over is taken away.
    };
  }

  status(view: View, bans: readonly Ban[]): ReplyOf<HaproxyContract, "status"> {
    const { info, sessions, oldWorkers, servers, problem } = view;
    return {
      ...(info && {
        running: { version: info.version, pid: info.pid, uptimeSeconds: info.uptimeSeconds, sessions, oldWorkers },
      }),
      servers: servers.map(({ name, status, ...rest }) => ({ name, state: status, ...rest })),
      reloads: this.reloads,
      bans: [...bans],
      ...(problem === undefined ? {} : { problem }),
    };
  }

  reloaded(outcome: "ok" | "failed"): void {
    this.#count("haproxy.reloads", { outcome });
    if (outcome === "failed") return; // Its reason follows as the problem.
    this.reloads += 1;
    this.log.info("HAProxy reloaded; its clients stay");
  }

  changed(change: "added" | "removed", server: string): void {
    this.#count("haproxy.servers_changed", { change });
    this.log.info({ server }, `a keeper was ${change}`);
  }

  restored(file: string): void {
    this.log.warn({ file }, "haproxy.cfg was removed or edited by somebody else: written again from the configuration");
  }

  banned(address: string, verdict: Verdict): void {
    if (verdict.outcome === "spared") {
      this.#count("haproxy.spared", {});
      this.log.warn({ address }, `not banned: ${verdict.why}`);
      return;
    }
    const { reason, step, until } = verdict.ban;
    this.#count("haproxy.bans", { reason });
    this.log.warn({ address, reason, step, until: new Date(until).toISOString() }, "banned");
  }

  failed(error: unknown): void {
    this.log.error({ err: error }, "a look at HAProxy failed; the next one follows");
  }

  #news({ info, problem }: View): void {
    // Before HAProxy was ever seen, it is just not started yet.
    const level = this.#seen ? "warn" : "info";
    if (problem !== this.#problem && problem !== undefined)
      this.log[level]({ problem }, "HAProxy is not as it should be");
    if (problem === undefined && this.#problem !== undefined) this.log.info("HAProxy is as it should be");
    if (info && info.pid !== this.#pid) this.log.info({ pid: info.pid, version: info.version }, "HAProxy runs");
    this.#problem = problem;
    this.#pid = info?.pid;
    this.#seen ||= info !== undefined;
  }

  #measure({ info, sessions, servers, oldWorkers }: View, banned: number): void {
    const gauge = (name: MetricName, value: number, tags = {}) => this.metrics.gauge(name, value, tags);
    gauge("haproxy.up", info ? 1 : 0);
    gauge("haproxy.sessions", sessions);
    gauge("haproxy.old_workers", oldWorkers);
    gauge("haproxy.servers", up(servers), { state: "up" });
    gauge("haproxy.servers", servers.length - up(servers), { state: "down" });
    gauge("haproxy.banned", banned);
  }

  #count(name: MetricName, tags: Readonly<Record<string, string>>): void {
    this.metrics.count(name, 1, tags);
  }
}

const up = (servers: View["servers"]): number => servers.filter(({ status }) => status.startsWith("UP")).length;
