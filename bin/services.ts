// The services that `headframe run` can start, by name. Each is loaded only when asked for, so that a process carries no more
// than it runs.

import type { House, Running } from "../lib/wiring/index.js";
import type { Config } from "./config.js";

export const serviceNames = ["jobmanager", "stratum", "reporter", "edge", "miner"] as const;
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
  miner: async (house, config) => (await import("../demo/miner/main.js")).open(house, config.miner),
};

/** A service was asked for whose section has no defaults to run on. */
export class MissingSection extends Error {
  override readonly name = "MissingSection";

  constructor(section: string, needed: string) {
    super(`[${section}] is missing in the configuration: it needs at least ${needed}`);
  }
}
