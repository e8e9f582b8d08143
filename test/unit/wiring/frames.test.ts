// The bytes between processes.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { z } from "zod";
import { codecOf } from "../../../lib/wiring/quick/codec.js";
import {
  checkFrame,
  FRAME_HEADER_BYTES,
  FrameError,
  FrameWriter,
  highHalf,
  joined,
  lowHalf,
  readFrame,
} from "../../../lib/wiring/rpc/frames.js";
import { readPayload } from "../../../lib/wiring/rpc/validate.js";

const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const message = fc.record({
  kind: fc.integer({ min: 0, max: 255 }),
  id: uint32,
  a: uint32,
  b: uint32,
  payload: fc.uint8Array({ maxLength: 300 }),
});
const frames = fc.tuple(fc.array(message, { maxLength: 20 }), fc.double({ noNaN: true, noDefaultInfinity: true }));

type Message = typeof message extends fc.Arbitrary<infer M> ? M : never;

function write(messages: readonly Message[], sentAtMs: number): Buffer {
  const writer = new FrameWriter();
  for (const { kind, id, a, b, payload } of messages) writer.put(kind, id, a, b, payload);
  return writer.take(sentAtMs);
}

function read(frame: Buffer): { messages: Message[]; sentAtMs: number } {
  const messages: Message[] = [];
  const sentAtMs = readFrame(frame, {
    message: (kind, id, a, b, start, end) => {
      messages.push({ kind, id, a, b, payload: Uint8Array.from(frame.subarray(start, end)) });
    },
  });
  return { messages, sentAtMs };
}

test("any messages come out of a frame as they were put in, in order", () => {
  fc.assert(
    fc.property(frames, ([messages, sentAtMs]) => {
      fc.pre(messages.length > 0);
      const out = read(write(messages, sentAtMs));
      expect(out.messages).toEqual(messages.map((one) => ({ ...one, payload: Uint8Array.from(one.payload) })));
      expect(out.sentAtMs).toBe(sentAtMs);
    }),
  );
});

test("a frame that is cut off anywhere is refused as a whole, or holds fewer whole messages", () => {
  fc.assert(
    fc.property(frames, fc.nat(), ([messages, sentAtMs], cut) => {
      fc.pre(messages.length > 0);
      const whole = write(messages, sentAtMs);
      const part = whole.subarray(0, cut % whole.length);
      try {
        expect(messages.slice(0, read(part).messages.length).length).toBeLessThan(messages.length);
      } catch (error) {
        expect(error).toBeInstanceOf(FrameError);
      }
    }),
  );
});

test("whatever the bytes, reading throws nothing but FrameError, and before any message is handed out", () => {
  const mutated = fc.tuple(
    frames,
    fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 8 }),
  );
  fc.assert(
    fc.property(mutated, fc.uint8Array({ maxLength: 200 }), ([[messages, sentAtMs], changes], noise) => {
      fc.pre(messages.length > 0);
      const frame = write(messages, sentAtMs);
      for (const [at, value] of changes) frame[at % frame.length] = value;
      for (const bytes of [frame, Buffer.from(noise), Buffer.concat([frame, noise])]) {
        let handedOut = 0;
        try {
          readFrame(bytes, { message: () => (handedOut += 1) });
        } catch (error) {
          expect(error).toBeInstanceOf(FrameError);
          expect(handedOut).toBe(0);
        }
      }
    }),
  );
});

test("whatever the bytes of a payload, reading it gives a valid value or a reason, and never throws", () => {
  const schema = z.object({ a: z.number(), b: z.array(z.string()) });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (noise) => {
      const read = readPayload(codecOf(schema), Buffer.from(noise), 0, noise.length);
      if (read.ok) expect(schema.safeParse(read.value).success).toBe(true);
      else expect(read.why.length).toBeGreaterThan(0);
    }),
    { numRuns: 1_000 },
  );
});

test("a schema whose own code throws is a reason, not a crash", () => {
  const schema = z.unknown().refine(() => {
    throw new Error("oops");
  });
  expect(readPayload(codecOf(schema), Buffer.from([1]), 0, 1)).toEqual({
    ok: false,
    why: expect.stringContaining("oops"),
  });
});

test("a number of 53 bits survives as two halves", () => {
  fc.assert(fc.property(fc.maxSafeNat(), (n) => joined(lowHalf(n), highHalf(n)) === n));
});

test("a frame of another format, or none, is refused by name", () => {
  const frame = write([{ kind: 1, id: 0, a: 0, b: 0, payload: new Uint8Array() }], 1);
  frame[1] = 9;
  expect(() => checkFrame(frame)).toThrow(/format 9/);
  expect(() => checkFrame(Buffer.from("GET / HTTP/1.1\r\n"))).toThrow(/not a frame/);
  expect(() => checkFrame(Buffer.alloc(FRAME_HEADER_BYTES - 1))).toThrow(FrameError);
});
