// lines: what edges and their backends say to each other. Nothing in it is specific to mining: any service with long-lived,
// line-speaking clients is a backend by hosting a contract made by `lineBackend(name)`.
//
//   edge --call events([open|line|close ...])--> backend        one ordered stream an (edge, backend), batched per tick
//   edge <--push out([write|broadcast ...])----- backend        applied in order; acknowledges lines
//
//   L1. The edge keeps a line until its acknowledgement came; if the backend is gone first, the line goes to another one.
//       So a backend may see a line twice, and whatever a line causes must be idempotent under (connection, line number).
//   L2. What a backend must remember of a connection it hands over as `state` (opaque to the edge, at most 4 kB); the next
//       backend gets the newest state with `open`. The lines acknowledged in the same `write` are covered by it.
//   L3. A `write` that acknowledges a line and carries its answer is one message: both or none reach the edge.

import { z } from "zod";
import { defineContract, method, push } from "../wiring/index.js";
import { bytes, connectionId, epochMs, handle, lineNumber } from "./ids.js";

/** Longest client line in bytes, its newline not counted. Real miners stay under 1 kB. */
export const LINE_BYTES_MAX = 8_192;
export const STATE_BYTES_MAX = 4_096;
export const EVENTS_MAX = 4_096;
export const OUTS_MAX = 8_192;

const state = z.custom<Uint8Array>(
  (value) => value instanceof Uint8Array && value.length <= STATE_BYTES_MAX,
  `expected at most ${STATE_BYTES_MAX} bytes`,
);

const heard = z.string().max(128);

export const closeReason = z.enum([
  /** The client closed, or its connection broke. */
  "client",
  /** The edge closed it, as the backend asked. */
  "asked",
  /** The edge closed it: a line too long, or a reader too slow. */
  "limit",
  /** The connection lives on at another backend: forget it, leave its shared state alone. */
  "moved",
]);
export type CloseReason = z.output<typeof closeReason>;

export const clientEvent = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("open"),
    handle,
    connection: connectionId,
    remoteAddress: z.string().max(64),
    remotePort: z.number().int().min(0).max(65_535),
    /** Name of the configured listener that took the connection: its settings apply. */
    listener: z.string().max(64),
    /** The client speaks TLS to HAProxy. */
    secure: z.boolean(),
    /** When the client came, whatever edges and backends have had it since; absent from an edge that does not know. */
    since: epochMs.optional(),
    /** What the last backend handed over; absent for a connection that no backend has seen. */
    state: state.optional(),
    /** `heard` of the newest broadcast or write that the client was sent; absent: there was none, or its edge died with it. */
    heard: heard.optional(),
    /**
     * True: the connection's edge died. Its first line may lack its beginning, it may have missed what was told last, and without
     * `state` shared state may know it. Until a backend has handed over state.
     */
    adopted: z.boolean(),
  }),
  z.object({
    kind: z.literal("line"),
    handle,
    number: lineNumber,
    /** Without the newline (and without a carriage return before it). */
    bytes,
    /** True: another backend may have had this line before, so what it causes may have come about already. */
    again: z.boolean().optional(),
  }),
  z.object({ kind: z.literal("close"), handle, reason: closeReason }),
]);
export type ClientEvent = z.output<typeof clientEvent>;
export type OpenEvent = Extract<ClientEvent, { kind: "open" }>;

export const out = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("write"),
    handle,
    /** Lines that are done with. */
    acknowledges: z.array(lineNumber).max(OUTS_MAX).optional(),
    /** Newlines included. */
    bytes: bytes.optional(),
    state: state.optional(),
    /** What the client has heard once this is sent, in the backend's own words; comes back with `open`. */
    heard: heard.optional(),
    /** Groups that the connection enters or leaves, before any later broadcast. */
    join: z.string().max(64).optional(),
    leave: z.string().max(64).optional(),
    /** Close after `bytes` are flushed; the text is for the log. */
    close: z.string().max(128).optional(),
  }),
  z.object({
    kind: z.literal("broadcast"),
    /** To every connection that this backend has in the group, at this edge. */
    group: z.string().max(64),
    bytes,
    /** As in `write`, for each of them. */
    heard: heard.optional(),
  }),
]);
export type Out = z.output<typeof out>;

/** The contract of a line backend named `service`. */
export function lineBackend<const Name extends string>(service: Name) {
  return defineContract({
    service,
    methods: {
      /** In order, at most EVENTS_MAX. The reply means `taken`; answers and acknowledgements come as `out`. OVERLOADED: none was taken. */
      events: method({
        request: z.object({ events: z.array(clientEvent).max(EVENTS_MAX) }),
        reply: z.object({}),
        idempotent: false,
        timeoutMs: 5_000,
      }),
      status: method({
        request: z.object({}),
        reply: z.object({ connections: z.number().int(), counters: z.record(z.string(), z.number()) }),
        idempotent: true,
      }),
    },
    pushes: { out: push(z.object({ outs: z.array(out).max(OUTS_MAX) })) },
  });
}
export type LineBackendContract = ReturnType<typeof lineBackend<string>>;

/** What keeper and edge say of themselves. */
export const edge = defineContract({
  service: "edge",
  methods: {
    status: method({
      request: z.object({}),
      reply: z.object({
        connections: z.number().int(),
        /** Of this edge process under its keeper: 0, 1, 2 ... */
        epoch: z.number().int(),
        unacknowledgedLines: z.number().int(),
        backends: z.array(z.object({ id: z.string(), connections: z.number().int() })),
        counters: z.record(z.string(), z.number()),
      }),
      idempotent: true,
    }),
  },
  pushes: {},
});
export type EdgeContract = typeof edge;
