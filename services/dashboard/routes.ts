// Routes: everything that the API offers, in one table. The server (in-http.ts) and the OpenAPI document (openapi.ts) are made from it.

import { z } from "zod";
import { WORKER_NAME_LENGTH_MAX } from "../../lib/contracts/index.js";
import * as model from "./model.js";
import type { Route } from "./openapi.js";

const limit = (most: number, usually: number) =>
  z.coerce.number().int().min(1).max(most).default(usually).describe("At most so many.");
const match = z.string().max(WORKER_NAME_LENGTH_MAX).optional().describe("Part of the name, in any case.");

const away = { 503: "Whoever knows this does not answer just now; the answer says why." };

export const QUERIES = {
  workers: z.strictObject({ match, limit: limit(1_000, 100) }),
  connections: z.strictObject({
    match: z
      .string()
      .max(WORKER_NAME_LENGTH_MAX)
      .optional()
      .describe("Part of a worker's name; with the token, also of the address or of the connection's id."),
    limit: limit(1_000, 100),
  }),
  blocks: z.strictObject({ limit: limit(1_000, 50) }),
  rounds: z.strictObject({ limit: limit(100, 10) }),
  series: z.strictObject({ span: z.enum(["1h", "24h"]).default("1h").describe("How far back.") }),
} as const;

export const BODIES = {
  swap: z.strictObject({ service: z.enum(model.SWAPPABLE).describe("Whose instances are replaced.") }),
  drain: z.strictObject({
    instance: z.string().min(1).max(64).describe("Its id, as /api/instances has it."),
    replace: z.boolean().default(true).describe("Another one is ready in its place before it leaves."),
  }),
} as const;

const busy = { 409: "Another action is running." };

export const ROUTES = {
  pool: get("/api/pool", "Pool", "The pool's figures", model.pool, { refusals: away }),
  workers: get("/api/workers", "Pool", "Workers, those with the latest shares first", model.workers, {
    ...{ query: QUERIES.workers, refusals: away },
  }),
  connections: get("/api/connections", "Pool", "Client connections, with their miners", model.connections, {
    query: QUERIES.connections,
  }),
  blocks: get("/api/blocks", "Pool", "Blocks, the newest first", model.blocks, {
    ...{ query: QUERIES.blocks, refusals: away },
  }),
  rounds: get("/api/rounds", "Pool", "Rounds, the open one first", model.rounds, {
    ...{ query: QUERIES.rounds, refusals: away },
  }),
  series: get("/api/series", "Pool", "Figures over time, for plots", model.series, {
    ...{ query: QUERIES.series, refusals: away },
  }),
  house: get("/api/house", "House", "Every part of the house, its health, and who talks to whom", model.house),
  instances: get("/api/instances", "House", "Instances as discovery knows them", model.instances),
  targets: get("/api/targets", "Process", "Every process' /metrics, for Prometheus' http_sd_configs", model.targets, {
    plain: true, // The probes answer everybody themselves, and nothing else can be done there.
  }),
  happenings: get("/api/happenings", "House", "The newest things that happened", model.happenings),
  actions: get("/api/actions", "Operation", "The latest swaps and drains", model.actions),
  swap: post("/api/swap", "Replace the instances of a service one by one; clients stay", BODIES.swap),
  drain: post("/api/drain", "Let one instance finish and end", BODIES.drain),
  live: {
    ...{ method: "GET", path: "/api/live", tag: "House", summary: "What changes, as it changes", plain: true },
    reply: {
      mediaType: "text/event-stream",
      meaning: "Server-sent events: house, pool, blocks, actions, happened, shares.",
    },
    refusals: { 503: "Too many browsers follow already." },
  },
  openapi: get("/api/openapi.json", "Process", "This document", z.looseObject({ openapi: z.string() }), {
    plain: true, // The only address in it is the one that it was asked at.
  }),
  health: get("/healthz", "Process", "Whether this process turns", z.object({ status: z.literal("alive") })),
  ready: get("/readyz", "Process", "Whether this process can show the pool", z.object({ status: z.literal("ready") }), {
    refusals: { 503: "No reporter has answered yet; the answer says why." },
  }),
} as const satisfies Readonly<Record<string, Route>>;

function get(
  path: string,
  tag: Route["tag"],
  summary: string,
  reply: z.ZodType,
  more: Pick<Route, "query" | "refusals" | "plain"> = {},
): Route {
  return { method: "GET", path, tag, summary, reply, ...more };
}

function post(path: string, summary: string, body: z.ZodObject): Route {
  const refusals = {
    ...busy,
    413: "The body is too large.",
    429: "Too many wrong tokens.",
    503: "No process manager.",
  };
  const reply = z.object({ action: model.action });
  return { method: "POST", path, tag: "Operation", summary, body, reply, accepted: true, guarded: true, refusals };
}
