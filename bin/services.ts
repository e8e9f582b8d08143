// The services that `headframe run` can start, by name. Each is loaded only when asked for, so that a process carries no more
// than it runs.

import { join, resolve } from "node:path";
import { haproxyPaths } from "../haproxy/paths.js";
import type { House, Running } from "../lib/wiring/index.js";
import type { Config } from "./config.js";

export const serviceNames = ["jobmanager", "stratum", "reporter", "edge", "haproxy", "dashboard", "miner"] as const;
export type ServiceName = (typeof serviceNames)[number];

type Open = (house: House, config: Config) => Promise<Running>;

export const SERVICES: Readonly<Record<ServiceName, Open>> = {
  jobmanager: async (house, config) => {
    if (!config.jobmanager) throw new MissingSection("jobmanager", "payout and daemons");
    return (await import("../services/jobmanager/main.js")).open(house, config.jobmanager);
  },
  stratum: async (house, config) => (await import("../services/stratum/main.js")).open(house, config.stratum),
  reporter: async (house, config) => (await import("../services/reporter/main.js")).open(house, config.reporter),
  edge: async (house, config) => (await import("../services/edge/main.js")).open(house, config.edge),
  haproxy: async (house, config) => {
    const { open } = await import("../haproxy/main.js");
    const paths = haproxyPaths(socketDirectory(config));
    const controller = await open(house, config.haproxy, { paths, reread: () => config.reread().haproxy });
    // As for every other daemon, a HUP means: your configuration has changed.
    process.on("SIGHUP", () => {
      controller.reload().catch((error: unknown) => house.log.error({ err: error }, "HAProxy was not reloaded"));
    });
    return controller;
  },
  dashboard: async (house, config) => {
    const { open } = await import("../services/dashboard/main.js");
    const { operatorOf } = await import("./manage/operator.js");
    const tokenFile = join(runFolder(config), "dashboard.token");
    return open(house, config.dashboard, { tokenFile, operator: operatorOf(house, config) });
  },
  miner: async (house, config) => (await import("../demo/miner/main.js")).open(house, config.miner),
};

/** Where circus.ini has HAProxy look for its file and put its sockets. */
function socketDirectory({ runDirectory }: Config): string {
  return process.env.HEADFRAME_SOCKETS ?? process.env.HEADFRAME_RUN ?? resolve(runDirectory);
}

/** Where this run keeps its files. */
const runFolder = ({ runDirectory }: Config): string => process.env.HEADFRAME_RUN ?? resolve(runDirectory);

/** A service was asked for whose section has no defaults to run on. */
export class MissingSection extends Error {
  override readonly name = "MissingSection";

  constructor(section: string, needed: string) {
    super(`[${section}] is missing in the configuration: it needs at least ${needed}`);
  }
}
