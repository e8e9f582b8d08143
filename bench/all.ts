// Every benchmark by its name, loaded when asked for.

import type { Benchmark } from "./kit/report.js";

export const BENCHMARKS: Readonly<Record<string, () => Promise<Benchmark>>> = {
  rpc: async () => (await import("./rpc.js")).rpc,
  push: async () => (await import("./push.js")).push,
  local: async () => (await import("./local.js")).local,
  jobs: async () => (await import("./jobs.js")).jobs,
  edge: async () => (await import("./edge.js")).edge,
  shares: async () => (await import("./shares.js")).shares,
  discovery: async () => (await import("./discovery.js")).discovery,
  start: async () => (await import("./start.js")).start,
};
