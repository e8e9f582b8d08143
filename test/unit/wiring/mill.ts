// The service that the wiring's tests call: a mill whose handlers the test opens and shuts by hand.

import { z } from "zod";
import { defineContract, method, push } from "../../../lib/wiring/index.js";

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);

export const contract = defineContract({
  service: "mill",
  methods: {
    /** Gives back what it got. */
    echo: method({
      request: z.object({ text: z.string(), bytes: bytes.optional() }),
      reply: z.unknown(),
      idempotent: true,
    }),
    /** Held until the test answers; may be repeated. */
    hold: method({ request: z.number(), reply: z.number(), idempotent: true, timeoutMs: 10_000 }),
    /** The same, not to be repeated. */
    once: method({ request: z.number(), reply: z.number(), idempotent: false, timeoutMs: 10_000 }),
    /** Does what the test says. */
    act: method({ request: z.number(), reply: z.unknown(), idempotent: true, timeoutMs: 10_000 }),
  },
  pushes: { flour: push(z.object({ sack: z.number(), pad: z.string().optional() })), dust: push(z.number()) },
});
export type Mill = typeof contract;

/** Of every nexus of a test, in whatever process. */
export const credentials = { cluster: "test", secret: Buffer.alloc(32, "a secret of the tests ") };
