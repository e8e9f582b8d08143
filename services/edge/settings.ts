// settings of the edge: what an operator may set, with units, bounds and defaults.

import { z } from "zod";
import { LINE_BYTES_MAX } from "../../lib/contracts/index.js";
import { durationMs } from "../../lib/wiring/index.js";

const count = z.number().int().positive();
const milliseconds = durationMs(1, 3_600_000);

export const settings = z.strictObject({
  backend: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/)
    .default("stratum")
    .describe("Name of the service that answers the clients' lines."),
  listen: z
    .strictObject({
      name: z.string().min(1).max(64).default("default").describe("Listener's name, as the backend gets it."),
      host: z.string().default("127.0.0.1").describe("Address to listen on."),
      port: z.number().int().min(0).max(65_535).describe("TCP port; 0 takes a free one."),
    })
    .optional()
    .describe("Listen without a keeper, for development: clients are lost when the edge ends. Ignored under a keeper."),
  trustedProxies: z
    .array(
      z.union([
        z.literal("unix"),
        z.string().regex(/^[0-9a-fA-F.:]+\/\d{1,3}$/, "expected an address range such as 10.0.0.0/8"),
      ]),
    )
    .default(["unix"])
    .describe(
      "Where PROXY headers come from and are required: `unix` (sockets on this machine) and address ranges in CIDR form.",
    ),
  proxyHeaderMs: milliseconds
    .default(5_000)
    .describe("Milliseconds that a trusted proxy has to send its PROXY header."),
  connectionsMax: count.default(50_000).describe("Clients at a time; the next one is closed at once."),
  unacknowledgedLinesMax: count
    .max(8_192)
    .default(32)
    .describe("Unacknowledged lines of one client above which it is not read from: what others wait behind a flood."),
  unacknowledgedBytesMax: count
    .min(LINE_BYTES_MAX)
    .default(65_536)
    .describe("Bytes of unacknowledged lines of one client above which it is not read from."),
  heldBytesMax: count
    .default(268_435_456)
    .describe("Bytes of unacknowledged lines of all clients together above which none is read from."),
  unsentBytesMax: count.default(262_144).describe("Bytes waiting for one slow client above which it is disconnected."),
  unsentTotalBytesMax: count
    .default(268_435_456)
    .describe("Bytes waiting for all clients together above which those that read least are disconnected."),
  lingerMs: milliseconds
    .default(2_000)
    .describe("Milliseconds that a client has to take its last lines when it is closed politely."),
  drainMs: milliseconds
    .default(3_000)
    .describe("Milliseconds that a leaving backend has to acknowledge lines before they go to another one."),
  suspectMs: milliseconds
    .default(3_000)
    .describe("Milliseconds without clients for a backend that failed without leaving."),
  silenceMs: milliseconds
    .min(200)
    .default(300)
    .describe("Milliseconds without a sign of life after which a backend's clients go to another one that answers."),
  eventsTimeoutMs: milliseconds
    .default(2_000)
    .describe("Milliseconds that a backend has to take a batch of lines before it counts as failed."),
  rebalancePerSecond: z
    .number()
    .int()
    .min(0)
    .max(10_000)
    .default(100)
    .describe(
      "Clients that wait for nothing, moved each second from the most to the least loaded backend, so that one that comes later gets its part; 0 leaves them where they are.",
    ),
  handoverSlice: count
    .max(4_096)
    .default(64)
    .describe("Clients that wait at a time during a planned hand-over to a new edge process."),
});
export type Settings = z.output<typeof settings>;

/** The part that the switchboard works by. @param ticksPerSecond How often it is called. */
export function switchboardLimits(settings: Settings, ticksPerSecond: number) {
  return {
    linesMax: settings.unacknowledgedLinesMax,
    bytesMax: settings.unacknowledgedBytesMax,
    heldBytesMax: settings.heldBytesMax,
    drainMs: settings.drainMs,
    suspectMs: settings.suspectMs,
    silenceTicks: Math.ceil((settings.silenceMs * ticksPerSecond) / 1_000),
    rebalancePerTick: Math.ceil(settings.rebalancePerSecond / ticksPerSecond),
  };
}
