// The model: what the API says, as schemas. They are the types of the code, the check of what is asked, and the OpenAPI document.

import { z } from "zod";
import { blockRecord, daemonStatus, minerFacts, reporter, round, workerStats } from "../../lib/contracts/index.js";
import { instance } from "../../lib/wiring/index.js";

/** What `swap` takes. */
export const SWAPPABLE = ["jobmanager", "stratum", "reporter", "edge", "keeper"] as const;
export const HAPPENINGS_KEPT = 200;
export const ACTIONS_KEPT = 20;
const NODES_MAX = 512;
const LINES_MAX = 500;

const text = z.string().max(1_024);
const ms = z.number().int().nonnegative();

/** good: works. warn: on its way in or out, or in trouble that costs nobody anything. bad: does not work. */
export const HEALTHS = ["good", "warn", "bad"] as const;
export const health = z.enum(HEALTHS);
export type Health = z.output<typeof health>;

export const nodeKind = z.enum([
  ...["miners", "haproxy", "keeper", "edge", "stratum", "reporter", "jobmanager", "daemon", "redis"],
  "other",
] as const);

export const node = z.object({
  id: z.string().max(128),
  kind: nodeKind,
  name: z.string().max(128),
  health,
  /** In a word: ready, draining, live, away ... */
  state: text,
  /** Why it is not good, or what it has to say. */
  note: text.optional(),
  /** What it has to do, `12 clients`. */
  load: text.optional(),
  senior: z.boolean().optional(),
  startedAt: ms.optional(),
  pid: z.number().int().positive().optional(),
  host: z.string().max(255).optional(),
  version: z.string().max(64).optional(),
  memoryBytes: z.number().nonnegative().optional(),
  cpu: z.number().nonnegative().optional(),
  /** Its instance id, if it can be drained. */
  drain: z.string().max(64).optional(),
});
export type Node = z.output<typeof node>;

export const link = z.object({ from: z.string().max(128), to: z.string().max(128), health, label: text.optional() });
export type Link = z.output<typeof link>;

export const house = z.object({
  /** Nodes in the order in which a share passes them. */
  nodes: z.array(node).max(NODES_MAX),
  links: z.array(link).max(4 * NODES_MAX),
  /** Services that can be swapped here. Empty: no process manager was found, see `manager`. */
  swappable: z.array(z.enum(SWAPPABLE)),
  /** Why processes cannot be managed from here. */
  manager: text.optional(),
  connections: z.number().int().nonnegative(),
});
export type HouseView = z.output<typeof house>;

export const pool = z.object({
  ...reporter.methods.pool.reply.shape,
  /** Client connections that edges hold. */
  connections: z.number().int().nonnegative(),
  job: z.object({ id: z.string(), height: z.number().int(), templateAt: ms }).optional(),
  /** True: some figure could not be had just now and is the last one known. */
  stale: z.boolean(),
});
export type PoolView = z.output<typeof pool>;

/** Something that happened. `id` counts up while this dashboard runs. */
export const happening = z.object({
  id: z.number().int().positive(),
  at: ms,
  kind: z.enum(["process", "instance", "job", "block", "action"]),
  mood: z.enum(["plain", "good", "bad"]),
  text,
});
export type Happening = z.output<typeof happening>;

export const action = z.object({
  id: z.string().max(64),
  what: z.enum(["swap", "drain"]),
  /** The service, or the instance. */
  whom: z.string().max(64),
  state: z.enum(["running", "done", "failed"]),
  startedAt: ms,
  endedAt: ms.optional(),
  /** What was done so far, step by step. */
  lines: z.array(text).max(LINES_MAX),
  reason: z.string().max(4_096).optional(),
});
export type Action = z.output<typeof action>;

const column = z.array(z.number().nullable());

/** One value a bucket of `stepMs`, oldest first; null where nobody looked. */
export const series = z.object({
  stepMs: z.number().int().positive(),
  /** Where each bucket begins. */
  at: z.array(ms),
  hashrate: column,
  /** A minute. */
  accepted: column,
  rejected: column,
  connections: column,
  workers: column,
});
export type Series = z.output<typeof series>;

export const problem = z.object({
  /** What happened, why, what to do. */
  error: z.string(),
});

/** Endpoint and key are shown with the token only. */
export const instances = z.object({ instances: z.array(instance.partial({ endpoint: true })).max(NODES_MAX) });
export const workers = z.object({ workers: z.array(workerStats).max(1_000) });
export const blocks = z.object({ blocks: z.array(blockRecord).max(1_000) });
export const rounds = z.object({ rounds: z.array(round).max(100) });
export const daemons = z.object({ daemons: z.array(daemonStatus).max(64) });
export const happenings = z.object({ happenings: z.array(happening).max(HAPPENINGS_KEPT) });
export const actions = z.object({ actions: z.array(action).max(ACTIONS_KEPT) });

/** As Prometheus' `http_sd_configs` reads it. */
export const targets = z.array(z.object({ targets: z.array(z.string()), labels: z.record(z.string(), z.string()) }));
export const connections = z.object({
  /** The connection's id is shown with the token only. */
  connections: z.array(minerFacts.partial({ connection: true }).extend({ stratum: z.string() })).max(1_000),
  /** False: there are more that match. */
  whole: z.boolean(),
});
