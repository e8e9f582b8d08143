// Every benchmark by its name, loaded when asked for.

import type { Benchmark } from "./kit/report.js";

export const BENCHMARKS: Readonly<Record<string, () => Promise<Benchmark>>> = {
  rpc: async () => (await import("./rpc.js")).rpc,
  push: async () => (await import("./push.js")).push,
  local: async () => (await import("./local.js")).local,
};
