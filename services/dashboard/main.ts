// Dashboard: the house and the pool in a browser, and the API under it.
//
//   every service --status, figures--> in-services --> picture.ts --> out-live --> browsers (server-sent events)
//                                            \--> out-series --> Redis (plots)       \--> in-api <-- HTTP (in-http, guard.ts)
//   swap, drain --> actions.ts --> Operator (ports.ts) --> process manager
//
// It only looks, and asks the process manager: killed, it takes nothing with it.

import { hostname } from "node:os";
import { dashboard } from "../../lib/contracts/index.js";
import { seenHere } from "../../lib/process-mark.js";
import { type House, packageVersion, type Running } from "../../lib/wiring/index.js";
import { Actions } from "./actions.js";
import { measure } from "./gauges.js";
import { Guard, hostNames } from "./guard.js";
import { Happenings } from "./happenings.js";
import { handlersOf, poolView } from "./in-api.js";
import { HttpServer } from "./in-http.js";
import { followNews } from "./in-news.js";
import { readPage } from "./in-page.js";
import { Services } from "./in-services.js";
import { openToken } from "./in-token.js";
import { Live } from "./live.js";
import { problem } from "./model.js";
import { openApi } from "./openapi.js";
import { Broadcast } from "./out-live.js";
import { Sampler, SeriesStore } from "./out-series.js";
import { draw } from "./picture.js";
import type { Operator } from "./ports.js";
import { ROUTES } from "./routes.js";
import { sampleOf } from "./series.js";
import type { Settings } from "./settings.js";

export interface DashboardOptions {
  readonly tokenFile: string;
  /** Absent: it shows, and cannot swap or drain. */
  readonly operator?: Operator;
}

/** Resolves when it listens. */
export async function open(
  house: House,
  settings: Settings,
  { tokenFile, operator }: DashboardOptions,
): Promise<Running & { readonly url: string }> {
  const { log, metrics, nexus, cluster } = house;
  const { file, token } = await openToken(settings.tokenFile ?? tokenFile);
  const page = await readPage();
  const happenings = new Happenings((it) => live.tell("happened", it));
  const live: Live = new Live({
    greeting: () => ({
      about: { cluster, version: packageVersion, host: hostname(), tokenFile: file },
      happenings: happenings.kept,
    }),
    viewers: (count) => {
      metrics.gauge("dashboard.viewers", count);
      broadcast.viewers(count);
    },
    slow: () => metrics.count("dashboard.slow_viewers"),
  });
  const services = new Services({
    ...{ house, operator, onLook: (ms) => metrics.timing("dashboard.look", ms) },
    onInstance: (it, what) => {
      if (what === "vanished")
        happenings.add("instance", "bad", `${it.id} on ${it.host} vanished: its heartbeats stopped`);
      // The process manager tells more of this host's own.
      else if (!seenHere(it) || !operator) happenings.add("instance", "plain", `${it.id} on ${it.host} ${what}`);
    },
  });
  const broadcast = new Broadcast({ services, live, log });
  const actions = new Actions({
    nowMs: Date.now,
    onChange: (it) => {
      live.section("actions", actions.kept);
      const { what, whom, state, reason } = it;
      if (state === "running" && it.lines.length > 0) return; // Its lines are shown with it.
      if (state !== "running") metrics.count("dashboard.actions", 1, { what, outcome: state });
      log.info({ what, whom, state, reason }, "action");
      const mood = state === "failed" ? "bad" : state === "done" ? "good" : "plain";
      happenings.add("action", mood, `${what} ${whom}: ${state}${reason ? `, ${reason}` : ""}`);
    },
  });
  live.section("actions", []);
  const series = new SeriesStore(house.redis.shares, cluster);
  const sampler = new Sampler({
    ...{ store: series, everyMs: settings.sampleMs },
    take: async () => {
      const look = await services.look();
      const pool = poolView(look);
      measure(metrics, pool, draw(look.readings));
      return sampleOf(pool, Date.now());
    },
    onSample: (outcome, error) => {
      metrics.count("dashboard.samples", 1, { outcome });
      if (error) log.debug({ err: error }, "no point for the plots this time");
    },
  });
  const urlOf = (port: number) =>
    `http://${settings.host.includes(":") ? `[${settings.host}]` : settings.host}:${port}/`;
  let url = urlOf(settings.port);
  const document = () => openApi(Object.values(ROUTES), { version: packageVersion, url, problem });
  const http = await HttpServer.open({
    ...{ host: settings.host, port: settings.port, page, live, log, metrics },
    handlers: handlersOf({ house, services, series, actions, happenings, operator, document }),
    guard: (port) => new Guard({ token, nowMs: Date.now, hosts: hostNames(settings.hosts, settings.host, port) }),
  });
  url = urlOf(http.port);
  const stops = [operator?.listen((event) => happenings.process(event)), followNews(services, happenings)];
  const status = () => ({ url, tokenFile: file, viewers: live.viewers });
  const hosted = await nexus.host(dashboard, { status }, { meta: { url } });
  log.info({ url, tokenFile: file }, "the dashboard is open");
  return {
    url,
    drain: (timeoutMs) => hosted.drain(timeoutMs),
    async close() {
      for (const stop of stops) stop?.();
      await http.close();
      await broadcast.close();
      await sampler.close();
      await hosted.close();
      await services.close();
    },
  };
}
