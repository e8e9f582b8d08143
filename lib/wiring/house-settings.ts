// What an operator sets for a process as such, whatever services it runs.

import { z } from "zod";
import { isWildcard } from "./address.js";
import { redisSettings } from "./redis-settings.js";
import { isKey } from "./rpc/z85.js";
import { clusterName } from "./state/keys.js";

const statsd = z
  .strictObject({
    host: z.string().min(1).max(255).describe("Host of statsd."),
    port: z.number().int().min(1).max(65_535).default(8_125).describe("UDP port of statsd."),
    prefix: z
      .string()
      .max(64)
      .regex(/^[\w.-]*$/, "expected letters, digits, . _ -")
      .default("headframe")
      .describe("Prefix of every metric name."),
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
      "File with the key pair of this host, created by `headframe keys FILE`. Use it in place of `curve = true`, which only encrypts.",
    ),
  allow: z
    .array(publicKey)
    .max(1_000)
    .default([])
    .describe("Public keys of the peers that this process accepts, besides its own."),
  allowFile: z
    .string()
    .min(1)
    .max(4_096)
    .optional()
    .describe("File with allowed keys, one per line. A change applies to new connections."),
});

const wiring = z.strictObject({
  secretFile: z
    .string()
    .min(1)
    .max(4_096)
    .optional()
    .describe(
      "File with the secret that authenticates the processes of this installation to each other. The first process that needs it creates it. Default: /var/lib/headframe/wiring.secret if that folder belongs to this user, else ~/.local/state/headframe/wiring.secret. Several hosts or containers need the same file.",
    ),
});

/** Least severe first. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

const log = z.strictObject({
  level: z.enum(LOG_LEVELS).default("info").describe("Least severe level that is logged."),
  name: z.string().max(128).optional().describe("Name in every log line. Default: the services of the process."),
});

const probe = z.strictObject({
  enabled: z.boolean().default(true).describe("Serve /healthz, /readyz and /metrics of each process over HTTP."),
  host: z.string().min(1).max(255).default("127.0.0.1").describe("Address to listen on. There is no authentication."),
  port: z
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(0)
    .describe("HTTP port. With 0, or if the port is in use: a free one, which `headframe ps` shows."),
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
    .describe("Address that instances listen on and that other processes connect to. Ports are dynamic."),
  redis: redisSettings.prefault({}),
  statsd: statsd.optional(),
  probe: probe.prefault({}),
  log: log.prefault({}).describe("What is written to stderr, as JSON lines."),
  wiring: wiring.prefault({}).describe("How processes of this installation know each other."),
  curve: z
    .union([z.boolean(), curve])
    .default(false)
    .describe("Encrypt connections between hosts (CURVE). true: without a list of allowed keys."),
});
export type HouseSettings = z.output<typeof houseSettings>;
