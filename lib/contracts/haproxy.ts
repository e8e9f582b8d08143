// haproxy: what the controller of an HAProxy says and does. One instance for each HAProxy, usually one a host.
//
//   stratum --ban(address, reason)--> every controller --ACL--> its HAProxy: new connections are refused
//   stratum <--banned(address)------- controller                stratum says goodbye to the connections that are there
//
//   B1. A ban without `seconds` is a step of the ladder: longer for each repetition. While it lasts, further ones change nothing.
//   B2. Addresses of `neverBan` are spared, whoever asks.

import { isIP } from "node:net";
import { z } from "zod";
import { defineContract, method, push } from "../wiring/index.js";
import { epochMs } from "./ids.js";

/** `192.0.2.7`, `2001:db8::7`, or a range of them, `192.0.2.0/24`. */
export const clientAddress = z
  .string()
  .max(64)
  .refine((text) => {
    const [address = "", prefix, ...rest] = text.split("/");
    const version = isIP(address);
    const bits = prefix === undefined ? 0 : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
    return version !== 0 && rest.length === 0 && bits <= (version === 6 ? 128 : 32);
  }, "expected an address, or a range such as 192.0.2.0/24");

export const banReason = z.enum([
  /** Lines that are no requests, connection after connection. */
  "garbage",
  /** Far too many shares that were none. */
  "invalid-shares",
  /** A person said so. */
  "operator",
]);
export type BanReason = z.output<typeof banReason>;

const ban = z.object({
  address: clientAddress,
  reason: banReason,
  /** When it ends by itself. */
  until: epochMs,
  /** How often the address was banned lately, this time included. */
  step: z.number().int().positive(),
});
export type Ban = z.output<typeof ban>;

const HAPROXY_SERVERS_MAX = 1_024;
export const BANS_MAX = 10_000;
/** Of a ban by hand: a year. */
const BAN_SECONDS_MAX = 31_536_000;

export const haproxy = defineContract({
  service: "haproxy",
  methods: {
    status: method({
      request: z.object({}),
      reply: z.object({
        /** Absent: HAProxy does not answer. */
        running: z
          .object({
            version: z.string(),
            /** Of the newest worker. */
            pid: z.number().int(),
            uptimeSeconds: z.number(),
            /** Clients of the newest worker. */
            sessions: z.number().int(),
            /** Workers of before a reload, which still serve their clients. */
            oldWorkers: z.number().int(),
          })
          .optional(),
        servers: z
          .array(z.object({ name: z.string(), state: z.string(), sessions: z.number().int() }))
          .max(HAPROXY_SERVERS_MAX),
        /** Since the controller's start. */
        reloads: z.number().int(),
        bans: z.array(ban).max(BANS_MAX),
        /** Why HAProxy is not as it should be, in words. */
        problem: z.string().optional(),
      }),
      idempotent: true,
    }),
    /** Refuses new connections of the address, at once and for a while (B1, B2). */
    ban: method({
      request: z.object({
        address: clientAddress,
        reason: banReason.default("operator"),
        /** Instead of a step of the ladder. */
        seconds: z.number().int().min(1).max(BAN_SECONDS_MAX).optional(),
      }),
      reply: z.discriminatedUnion("outcome", [
        z.object({ outcome: z.literal("banned"), ...ban.shape }),
        z.object({ outcome: z.literal("spared"), why: z.string() }),
      ]),
      idempotent: true,
    }),
    /** Lets the address in again, and forgets what it did. */
    unban: method({
      request: z.object({ address: clientAddress }),
      reply: z.object({ wasBanned: z.boolean() }),
      idempotent: true,
    }),
    /**
     * Reads the configuration again and reloads HAProxy by it, changed or not (certificates may have changed). No client is
     * disconnected. REMOTE with the reason when HAProxy refuses the new configuration: the old one stays.
     */
    reload: method({
      request: z.object({}),
      reply: z.object({ pid: z.number().int() }),
      idempotent: true,
      timeoutMs: 30_000,
    }),
  },
  pushes: { banned: push(ban) },
});
export type HaproxyContract = typeof haproxy;
