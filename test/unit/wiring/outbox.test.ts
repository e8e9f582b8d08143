// What waits to be said to one peer, and pushes that many peers are told: in order, once, and as it was said.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { z } from "zod";
import { Audience } from "../../../lib/wiring/nexus/audience.js";
import type { PeerId } from "../../../lib/wiring/nexus/nexus.js";
import { codecOf } from "../../../lib/wiring/quick/codec.js";
import { FRAME_COST, highHalf, joined, KIND, lowHalf, readFrame } from "../../../lib/wiring/rpc/frames.js";
import { Flusher, Outbox } from "../../../lib/wiring/rpc/outbox.js";
import { encodePayload } from "../../../lib/wiring/rpc/payload.js";
import { Run } from "../../../lib/wiring/rpc/run.js";
import { Streams } from "../../../lib/wiring/rpc/streams.js";

const spec = { message: z.object({ n: z.number().int(), text: z.string().max(5_000) }) };
const codec = codecOf(spec.message);
const FRAME_BYTES = 2_048;

function open(windowBytes = 1_048_576) {
  const frames: Buffer[] = [];
  const parts = { flusher: new Flusher(), frameBytes: FRAME_BYTES, nowMs: () => 0 };
  const outbox = new Outbox({ ...parts, transmit: (frame) => void frames.push(Buffer.from(frame)) }, windowBytes);
  return { outbox, frames };
}

interface Heard {
  readonly messages: unknown[];
  readonly gaps: [number, number][];
}

/** A subscriber across the wire: hears what the frames say to its stream 1. */
function receiver() {
  const malformed: string[] = [];
  const { outbox, frames: said } = open();
  const streams = new Streams(outbox, (why) => void malformed.push(why));
  const heard: Heard = { messages: [], gaps: [] };
  const stream = streams.open("a", "b", spec, {
    refused() {},
    joined() {},
    message: (message) => void heard.messages.push(message),
    gap: (expected, received) => void heard.gaps.push([expected, received]),
  });
  const hear = (frame: Buffer, others: number[] = []) =>
    readFrame(frame, {
      message: (kind, id, a, b, start, end) => {
        if (kind === KIND.push) streams.message(id, joined(a, b), frame, start, end);
        else if (kind === KIND.pushes) streams.run(id, joined(a, b), frame, start, end);
        else others.push(id, heard.messages.length);
      },
    });
  return { streams, stream, heard, hear, malformed, outbox, said };
}

const act = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("push" as const), text: fc.string({ maxLength: 200 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("large" as const), size: fc.integer({ min: 3_000, max: 5_000 }) }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: "reply" as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: "flush" as const }) },
);

test("pushes of a run reach every follower in order and once, and what is said in between keeps its place", () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 80 }), fc.nat(), (acts, seed) => {
      const run = new Run();
      const peers = [open(), open()];
      const said: unknown[] = [];
      const places: number[] = [];
      let sequence = 0;
      for (const [i, one] of acts.entries()) {
        if (one.kind === "push" || one.kind === "large") {
          sequence += 1;
          const message = { n: sequence, text: one.kind === "push" ? one.text : "x".repeat(one.size) };
          said.push(message);
          run.followers += 1;
          const start = run.add(codec, message);
          for (const { outbox } of peers)
            expect(outbox.follow(1, sequence, { run, start, end: run.length })).toBe(true);
          run.followers -= 1;
        } else if (one.kind === "reply") {
          places.push(i, said.length);
          for (const { outbox } of peers) outbox.put(KIND.reply, i, 0, 0, encodePayload(i));
        } else peers[(seed + i) % 2]?.outbox.flush();
      }
      for (const { outbox, frames } of peers) {
        outbox.flush();
        const { hear, heard } = receiver();
        const others: number[] = [];
        for (const frame of frames) hear(frame, others);
        expect(heard).toEqual({ messages: said, gaps: [] });
        expect(others).toEqual(places);
      }
      expect(run.followers).toBe(0);
    }),
  );
});

test("a follower whose window is full refuses and is not sent anything, whatever the others take", () => {
  const run = new Run();
  const [slow, fast] = [open(4_096), open()];
  let refused = 0;
  for (let n = 1; n <= 100; n++) {
    run.followers += 1;
    const start = run.add(codec, { n, text: "x".repeat(100) });
    if (!slow.outbox.follow(1, n, { run, start, end: run.length })) refused += 1;
    expect(fast.outbox.follow(1, n, { run, start, end: run.length })).toBe(true);
    run.followers -= 1;
  }
  for (const { outbox } of [slow, fast]) outbox.flush();
  expect(refused).toBeGreaterThan(50);
  expect(slow.frames.reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(4_096);
  const { hear, heard } = receiver();
  for (const frame of fast.frames) hear(frame);
  expect(heard.messages.length).toBe(100);
});

test("pushes are encoded in the same memory once nobody has to copy the earlier ones any more", () => {
  const audience = new Audience(spec);
  const [first, second] = [open(), open()];
  const places: number[] = [];
  for (const [i, { outbox }] of [first, second].entries()) {
    let sequence = 0;
    audience.add({
      peer: `p${i}` as PeerId,
      push(outgoing) {
        sequence += 1;
        expect(outgoing.inRun()).toBe(true);
        if (i === 0) places.push(outgoing.start);
        return outbox.follow(1, sequence, outgoing);
      },
      snapshot() {},
    });
  }
  for (let n = 0; n < 4; n++) {
    if (n % 2 === 0) for (const { outbox } of [first, second]) outbox.flush();
    expect(audience.push({ n, text: "" })).toBe(2);
  }
  expect(places.map((start) => start > 0)).toEqual([false, true, false, true]);
});

test("a run that is cut off hands nothing out, is said, and the next message shows the hole", () => {
  const { streams, heard, malformed } = receiver();
  const bytes = encodePayload({ n: 1, text: "a" });
  const head = Buffer.alloc(4);
  head.writeUInt32LE(bytes.length);
  const whole = Buffer.concat([head, bytes, head, bytes]);
  streams.run(1, 1, whole, 0, whole.length - 1);
  expect(heard.messages).toEqual([]);
  expect(malformed).toEqual([expect.stringContaining("cut off")]);
  streams.run(1, 3, whole, 0, whole.length);
  expect(heard.messages.length).toBe(2);
  expect(heard.gaps).toEqual([[1, 3]]);
});

test("a listener that closes its stream in the midst of a run hears no more of it", () => {
  const { streams, outbox } = receiver();
  const heard: unknown[] = [];
  const stream = streams.open("a", "b", spec, {
    refused() {},
    joined() {},
    message: (message) => {
      heard.push(message);
      stream.close();
    },
    gap() {},
  });
  const run = new Run();
  run.followers += 1;
  for (let n = 1; n <= 3; n++) run.add(codec, { n, text: "" });
  streams.run(2, 1, run.bytes, 0, run.length);
  expect(heard).toEqual([{ n: 1, text: "" }]);
  outbox.close();
});

test("a value that does not fit the window is not left in the frame", () => {
  const { outbox, frames } = open(2_048);
  let taken = 0;
  while (outbox.write(KIND.reply, taken, lowHalf(0), highHalf(0), codec, { n: 1, text: "x".repeat(90) }, 1_000))
    taken += 1;
  expect(outbox.write(KIND.reply, 0, 0, 0, codec, { n: 1, text: "" }, 2)).toBe(false);
  outbox.flush();
  const ids: number[] = [];
  for (const frame of frames) readFrame(frame, { message: (_kind, id) => void ids.push(id) });
  expect(ids).toEqual(Array.from({ length: taken }, (_, i) => i));
});

test("a frame's memory is used again only after the peer told that it has read the frame", () => {
  const seen: { frame: Buffer; copy: Buffer }[] = [];
  const parts = { flusher: new Flusher(), frameBytes: FRAME_BYTES * 4, nowMs: () => 0 };
  const transmit = (frame: Buffer) => void seen.push({ frame, copy: Buffer.from(frame) });
  const outbox = new Outbox({ ...parts, transmit }, 1_048_576);
  let told = 0;
  let read = 0;
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 6_000 }), { minLength: 1, maxLength: 40 }),
      fc.nat(),
      (sizes, part) => {
        for (const size of sizes) outbox.put(KIND.reply, size, 0, 0, Buffer.alloc(size, size));
        outbox.flush();
        for (const { frame, copy } of seen.slice(told)) expect(frame.equals(copy)).toBe(true);
        const upTo = told + (part % (seen.length - told + 1));
        for (; told < upTo; told++) read += (seen[told]?.copy.length ?? 0) + FRAME_COST;
        outbox.credit(lowHalf(read), highHalf(read));
      },
    ),
  );
  expect(new Set(seen.map(({ frame }) => frame.buffer)).size).toBeLessThan(seen.length / 2);
});
