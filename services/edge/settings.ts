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
    .describe("Service that answers the clients' lines."),
  listen: z
    .strictObject({
      name: z.string().min(1).max(64).default("default").describe("Name of the listener, as passed to the backend."),
      host: z.string().default("127.0.0.1").describe("Address to listen on."),
      port: z.number().int().min(0).max(65_535).describe("TCP port. 0: a free one."),
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
    .describe("Milliseconds within which a trusted proxy must send its PROXY header."),
  connectionsMax: count.default(50_000).describe("Maximum number of clients. Further ones are closed at once."),
  unacknowledgedLinesMax: count
    .max(8_192)
    .default(32)
    .describe(
      "Maximum number of unacknowledged lines per client; the edge then stops reading from it. It bounds how long others wait behind a flood.",
    ),
  unacknowledgedBytesMax: count
    .min(LINE_BYTES_MAX)
    .default(65_536)
    .describe("Maximum bytes of unacknowledged lines per client; the edge then stops reading from it."),
  heldBytesMax: count
    .default(268_435_456)
    .describe("Maximum bytes of unacknowledged lines of all clients; the edge then stops reading from all."),
  unsentBytesMax: count
    .default(262_144)
    .describe("Maximum unsent bytes per client; beyond it the client is disconnected."),
  unsentTotalBytesMax: count
    .default(268_435_456)
    .describe("Maximum unsent bytes of all clients; beyond it those with the most are disconnected."),
  lingerMs: milliseconds
    .default(2_000)
    .describe("Milliseconds for a client to read its last lines when the backend closes it."),
  drainMs: milliseconds
    .default(3_000)
    .describe("Milliseconds for a draining backend to acknowledge lines before another one gets them."),
  suspectMs: milliseconds
    .default(3_000)
    .describe("Milliseconds for which a backend that failed without leaving gets no clients."),
  silenceMs: milliseconds
    .min(200)
    .default(300)
    .describe("Milliseconds without any message from a backend after which its clients move to one that answers."),
  eventsTimeoutMs: milliseconds
    .default(2_000)
    .describe("Milliseconds for a backend to accept a batch of lines before it is considered failed."),
  rebalancePerSecond: z
    .number()
    .int()
    .min(0)
    .max(10_000)
    .default(100)
    .describe(
      "Idle clients moved per second from the most to the least loaded backend, so that a new backend gets its share. 0: none.",
    ),
  handoverSlice: count.max(4_096).default(64).describe("Clients handed over at a time to a new edge process."),
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
