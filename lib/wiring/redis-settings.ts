// What an operator sets to say where Redis is, and how it is spoken to.

import { z } from "zod";

const url = z
  .string()
  .max(1_024)
  .regex(
    /^(rediss?:\/\/[^/]+(\/\d+)?$|\/)/,
    "expected redis://[user:password@]host:port[/db], rediss://... or /path/of.sock",
  );
const path = z.string().min(1).max(4_096);

const tls = z
  .strictObject({
    caFile: path.optional().describe("CA certificates (PEM) that verify Redis. Default: the system's."),
    certFile: path.optional().describe("Client certificate (PEM), for a Redis that requires one."),
    keyFile: path.optional().describe("Key of the client certificate (PEM)."),
    serverName: z
      .string()
      .min(1)
      .max(255)
      .optional()
      .describe("Name in Redis' certificate. Default: the host of the connection."),
  })
  .refine((it) => (it.certFile === undefined) === (it.keyFile === undefined), {
    path: ["keyFile"],
    error: "certFile and keyFile belong together",
  })
  .describe("TLS of URLs that begin with rediss://, and of the sentinels then.");

const sentinel = z.strictObject({
  host: z.string().min(1).max(255).describe("Host of a sentinel."),
  port: z.number().int().min(1).max(65_535).default(26_379).describe("Its port."),
});

/** A set has three or five; they tell of others by themselves. */
const SENTINELS_MAX = 16;

const node = z.strictObject({
  host: z.string().min(1).max(255).describe("Host of a cluster node."),
  port: z.number().int().min(1).max(65_535).default(6_379).describe("Its port."),
});

/** Some of a cluster's nodes are enough to find the others. */
const NODES_MAX = 64;

export const redisSettings = z
  .strictObject({
    url: url
      .default("redis://127.0.0.1:6379")
      .describe(
        "Redis for every role that has no URL of its own. With sentinels or clusterNodes, host and port are ignored.",
      ),
    discovery: url.optional().describe("Redis for heartbeats and service discovery. Default: url."),
    state: url.optional().describe("Redis for connection state and jobs. Default: url."),
    shares: url.optional().describe("Redis for the share log and statistics. Default: url."),
    passwordFile: path.optional().describe("File with the password, for URLs without one."),
    tls: tls.optional(),
    sentinels: z
      .array(sentinel)
      .min(1)
      .max(SENTINELS_MAX)
      .optional()
      .describe("Sentinels to ask where the master is, for all roles; some of a set are enough."),
    sentinelName: z
      .string()
      .min(1)
      .max(128)
      .default("mymaster")
      .describe("Name of the master in the sentinels (`sentinel monitor NAME`)."),
    sentinelPassword: z.string().max(512).optional().describe("Password of the sentinels, if they require one."),
    sentinelPasswordFile: path.optional().describe("File with the sentinels' password."),
    clusterNodes: z
      .array(node)
      .min(1)
      .max(NODES_MAX)
      .optional()
      .describe(
        "Nodes of a Redis Cluster to ask which of them has our keys, for all roles; name several, so that one may be gone.",
      ),
    connectTimeoutMs: z
      .number()
      .int()
      .min(100)
      .max(600_000)
      .default(5_000)
      .describe("Milliseconds that a starting process waits for Redis before it fails."),
  })
  .refine((it) => it.sentinelPassword === undefined || it.sentinelPasswordFile === undefined, {
    path: ["sentinelPasswordFile"],
    error: "give either sentinelPassword or sentinelPasswordFile, not both",
  })
  .refine((it) => it.clusterNodes === undefined || it.sentinels === undefined, {
    path: ["clusterNodes"],
    error: "give either sentinels or clusterNodes, not both: a cluster fails over by itself",
  })
  .refine(
    (it) =>
      it.clusterNodes === undefined ||
      [it.url, it.discovery, it.state, it.shares].every((at) => at === undefined || !/^\/|:\/\/[^/]+\/[1-9]/.test(at)),
    {
      path: ["clusterNodes"],
      error:
        "a cluster is reached by TCP and has database 0 only: url, discovery, state and shares must be redis://... without /N",
    },
  )
  .refine(
    (it) =>
      it.tls === undefined || [it.url, it.discovery, it.state, it.shares].some((at) => at?.startsWith("rediss://")),
    {
      path: ["tls"],
      error: "no URL begins with rediss://, so nothing would be encrypted",
    },
  )
  .describe("Where Redis is: one for all, or one for each role.");
export type RedisSettings = z.output<typeof redisSettings>;

export type RedisRole = "discovery" | "state" | "shares";
export const REDIS_ROLES = ["discovery", "state", "shares"] as const satisfies readonly RedisRole[];
