// What an operator sets for a process as such, whatever services it runs.

import { z } from "zod";
import { isWildcard } from "./address.js";
import { redisSettings } from "./redis-settings.js";
import { isKey } from "./rpc/z85.js";
import { clusterName } from "./state/keys.js";

const statsd = z
  .strictObject({
    host: z.string().min(1).max(255).describe("Where statsd listens."),
    port: z.number().int().min(1).max(65_535).default(8_125).describe("UDP port of statsd."),
    prefix: z
      .string()
      .max(64)
      .regex(/^[\w.-]*$/, "expected letters, digits, . _ -")
      .default("headframe")
      .describe("Stands before every metric's name."),
    tags: z.record(z.string().max(64), z.string().max(256)).default({}).describe("Put on every measurement."),
  })
  .describe("Where measurements go; without it they stay in the process.");

const publicKey = z.string().refine(isKey, "expected a public key of 40 characters (Z85)");

const curve = z.strictObject({
  keyFile: z
    .string()
    .min(1)
    .max(4_096)
    .describe(
      "File with this host's keys, made by `headframe keys FILE`; instead of `curve = true`, which is encryption only.",
    ),
  allow: z
    .array(publicKey)
    .max(1_000)
    .default([])
    .describe("Public keys that may call this process and be called by it, besides its own."),
  allowFile: z
    .string()
    .min(1)
    .max(4_096)
    .optional()
    .describe("The same as a file, one key a line; changes count from the next connection on."),
});

const wiring = z.strictObject({
  secretFile: z
    .string()
    .min(1)
    .max(4_096)
    .optional()
    .describe(
      "File with the secret by which processes of this installation know each other; made by whoever needs it first. Default: /var/lib/headframe/wiring.secret if that folder is this user's, else ~/.local/state/headframe/wiring.secret. Several hosts or containers: the same file on each.",
    ),
});

/** Least severe first. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

const log = z.strictObject({
  level: z.enum(LOG_LEVELS).default("info").describe("The least severe messages that are written."),
  name: z.string().max(128).optional().describe("Stands in every line; default: what runs in the process."),
});

const probe = z.strictObject({
  enabled: z.boolean().default(true).describe("Answer /healthz, /readyz and /metrics of each process over HTTP."),
  host: z
    .string()
    .min(1)
    .max(255)
    .default("127.0.0.1")
    .describe("Address to answer on; anybody who reaches it may read."),
  port: z
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(0)
    .describe("HTTP port; 0, or when another process has it: any free one, which `headframe ps` shows."),
});
export type ProbeSettings = z.output<typeof probe>;

export const houseSettings = z.strictObject({
  cluster: clusterName
    .default("headframe")
    .describe("Names this installation in Redis, so that several can share one."),
  host: z
    .string()
    .min(1)
    .max(255)
    .refine(
      (host) => !isWildcard(host),
      "expected an address by which others reach this machine, not every address of it",
    )
    .default("127.0.0.1")
    .describe("Address that instances listen on and that others reach them by; their ports are dynamic."),
  redis: redisSettings.prefault({}),
  statsd: statsd.optional(),
  probe: probe.prefault({}),
  log: log.prefault({}).describe("What is written to stderr, as JSON lines."),
  wiring: wiring.prefault({}).describe("How processes of this installation know each other."),
  curve: z
    .union([z.boolean(), curve])
    .default(false)
    .describe("Encrypt between instances (CURVE) when they cross machines; true: without a list of keys."),
});
export type HouseSettings = z.output<typeof houseSettings>;
