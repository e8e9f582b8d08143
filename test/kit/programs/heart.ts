// A process that does nothing but beat: registers one instance, says so, and lives until it is killed.
//
//   node heart.js REDIS_URL CLUSTER SERVICE ID EVERY_MS TTL_MS

import { Redis } from "ioredis";
import { Registry } from "../../../lib/wiring/discovery/registry.js";
import { instance } from "../../../lib/wiring/index.js";

const [url = "", cluster = "", service = "", id = "", everyMs = "", ttlMs = ""] = process.argv.slice(2);
const redis = new Redis(url);
const registry = Registry.open({ redis, cluster, everyMs: Number(everyMs), ttlMs: Number(ttlMs) });
await registry.register(
  instance.parse({
    service,
    id,
    host: "127.0.0.1",
    pid: process.pid,
    endpoint: "tcp://127.0.0.1:1",
    startedAt: Date.now(),
    version: "0",
    state: "ready",
    meta: {},
  }),
);
process.send?.("registered");
