// miner: what the demo miner tells the live screen. A service like any other, found through discovery.

import { z } from "zod";
import { defineContract, method, push } from "../../lib/wiring/index.js";

const RIGS_MAX = 1_000;

export const rigStatus = z.object({
  worker: z.string(),
  hashes: z.number().int(),
  accepted: z.number().int(),
  rejected: z.record(z.string(), z.number().int()),
  unanswered: z.number().int(),
  disconnects: z.number().int(),
});

export const minerEvent = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("connected"), worker: z.string(), extranonce1: z.string() }),
  z.object({ kind: z.literal("disconnected"), worker: z.string(), reason: z.string() }),
  z.object({ kind: z.literal("accepted"), worker: z.string(), jobId: z.string(), answerMs: z.number() }),
  z.object({ kind: z.literal("rejected"), worker: z.string(), jobId: z.string(), reason: z.string() }),
]);
export type MinerEvent = z.output<typeof minerEvent>;

export const miner = defineContract({
  service: "miner",
  methods: {
    status: method({
      request: z.object({}),
      reply: z.object({ rigs: z.array(rigStatus).max(RIGS_MAX) }),
      idempotent: true,
    }),
    /** No new shares; replies when every submitted share has its answer. */
    stop: method({ request: z.object({}), reply: z.object({}), idempotent: true, timeoutMs: 15_000 }),
  },
  pushes: { event: push(minerEvent) },
});
