// settings of HAProxy: what an operator may set of the front door, with units, bounds and defaults.

import { z } from "zod";
import { clientAddress } from "../lib/contracts/index.js";
import { durationMs } from "../lib/duration.js";

const milliseconds = durationMs(1, 86_400_000);
const count = z.number().int().positive();
const port = z.number().int().min(1).max(65_535);
const address = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[\w.:*%-]+$/, "expected an address such as 0.0.0.0, ::1 or *");
const path = z
  .string()
  .min(1)
  .max(1_024)
  .regex(/^[^\r\n]+$/, "expected a path without line ends");

export const listener = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z][a-z0-9-]{0,26}$/, "expected a lower-case name of at most 27 letters, digits and -")
      .describe("Name of the listener. Backends receive it with every connection and apply their settings for it."),
    host: address.default("0.0.0.0").describe("Address to listen on."),
    port: port.describe("TCP port to listen on."),
    tls: z
      .strictObject({ pem: path.describe("File (or directory) with certificate, chain and key in PEM form.") })
      .optional()
      .describe("Speak TLS on this port. Without it a TLS hello is refused at once."),
    acceptProxy: z
      .boolean()
      .default(false)
      .describe(
        "Every connection begins with the PROXY header of a load balancer. Only trusted balancers may reach this port.",
      ),
    acceptProxyFrom: z
      .array(clientAddress)
      .max(256)
      .default([])
      .describe("With acceptProxy: addresses and ranges of the trusted balancers. Empty: every peer is trusted."),
    connectionsMax: count
      .max(1_000_000)
      .default(50_000)
      .describe("Maximum number of connections on this listener. Further ones wait."),
    connectionsPerAddress: count
      .max(1_000_000)
      .default(2_000)
      .describe("Maximum number of connections per client address (IPv6: per /64)."),
    newPer10sPerAddress: count
      .max(1_000_000)
      .default(2_000)
      .describe("Maximum number of new connections per client address (IPv6: per /64) in 10 seconds."),
    firstByte: z
      .string()
      .regex(/^[\x21-\x7e]$/, "expected one printable character")
      .refine((character) => !/["'\\#$]/.test(character), "expected none of \" ' \\ # $")
      .or(z.literal(""))
      .default("{")
      .describe(
        "First character of a client's first line (JSON: {); white space and a byte-order mark before it are ignored. Empty: not checked.",
      ),
    firstByteMs: milliseconds.max(60_000).default(5_000).describe("Milliseconds for a new client to send it."),
  })
  .describe("One port for clients.");
export type Listener = z.output<typeof listener>;

const bans = z
  .strictObject({
    stepsS: z
      .array(z.number().int().min(1).max(31_536_000))
      .min(1)
      .max(16)
      .default([60, 600, 3_600, 86_400])
      .describe(
        "Duration of the first, second, ... ban of an address in seconds; the last value applies to all later ones.",
      ),
    forgetAfterS: z
      .number()
      .int()
      .min(1)
      .max(31_536_000)
      .default(86_400)
      .describe("Seconds after the end of a ban within which another one counts as a repetition."),
    neverBan: z
      .array(clientAddress)
      .max(1_024)
      .default(["127.0.0.0/8", "::1"])
      .describe("Addresses and ranges that are never banned, such as your own farms and monitoring."),
  })
  .describe("How long an address (IPv6: its /64) is refused that sent garbage or nothing but shares that were none.");
export type BanSettings = z.output<typeof bans>;

/** Where a keeper listens, as its edge tells it. */
export const keeperPlace = z
  .string()
  .max(255)
  .regex(/^(unix:\/[^\r\n;]+|(\[[0-9a-fA-F:.]+\]|[\w.-]+):\d{1,5})$/, "expected unix:/path or HOST:PORT");

export const haproxySettings = z.strictObject({
  listeners: z
    .array(listener)
    .min(1)
    .max(64)
    .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, "two listeners have the same name")
    .default([listener.parse({ name: "plain", port: 3333 })])
    .describe("The ports for clients."),
  connectionsMax: count
    .max(1_000_000)
    .optional()
    .describe(
      "Maximum number of connections of all listeners. Default: what the limit on open files allows (two files each).",
    ),
  idleMs: milliseconds
    .default(1_200_000)
    .describe(
      "Milliseconds without traffic in either direction after which a connection is closed. It must be well above the backend's keepalive.",
    ),
  keepers: z
    .array(keeperPlace)
    .max(256)
    .default([])
    .describe("Keepers to use besides those in discovery, as unix:/path or HOST:PORT."),
  keeperGoneMs: milliseconds
    .default(10_000)
    .describe(
      "Milliseconds after which a keeper that no edge registers, and that does not listen, gets no more clients.",
    ),
  bans: bans.prefault({}),
  keeperConnectMs: milliseconds
    .default(5_000)
    .describe("Milliseconds to connect to a keeper before another one is tried."),
  program: path.default("haproxy").describe("HAProxy program, 2.6 or newer."),
  prometheus: z
    .strictObject({
      host: address.default("127.0.0.1").describe("Address to listen on."),
      port: port.describe("TCP port to listen on."),
    })
    .optional()
    .describe("Serve HAProxy's own figures for Prometheus at /metrics there."),
  peersPort: port
    .optional()
    .describe(
      "Loopback port over which a reloaded HAProxy gets the per-address counters of its predecessor. Without it, a reload resets them.",
    ),
  extraGlobal: z
    .array(
      z
        .string()
        .max(1_024)
        .regex(/^[^\r\n]*$/, "expected one line"),
    )
    .max(64)
    .default([])
    .describe("Lines added unchanged to the `global` section."),
});
export type HaproxySettings = z.output<typeof haproxySettings>;

/** Where HAProxy finds a keeper. */
export interface KeeperAddress {
  readonly name: string;
  /** Path of a unix socket, or `host:port`. */
  readonly at: { readonly path: string } | { readonly host: string; readonly port: number };
}
