// Reading and writing by code that is made for a contract: the same as by library and schema, only sooner.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { pack } from "msgpackr";
import { z } from "zod";
import { jobmanager, lineBackend, reporter } from "../../../lib/contracts/index.js";
import { codecOf } from "../../../lib/wiring/quick/codec.js";
import { UNSURE } from "../../../lib/wiring/quick/reader.js";
import { CRAMPED, UNSHAPED } from "../../../lib/wiring/quick/writer.js";
import { decodePayload, encodePayload } from "../../../lib/wiring/rpc/payload.js";

const NAME_MAX = 40;

/** A bit of everything that plans know, and of what they do not. */
const schema = z.object({
  name: z.string().min(1).max(NAME_MAX),
  hex: z
    .string()
    .regex(/^[0-9a-f]*$/)
    .optional(),
  count: z.number().int().nonnegative(),
  part: z.number().min(-1e9).max(1e9),
  on: z.boolean(),
  color: z.enum(["red", "green", "dark blue"]),
  body: z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length <= 300),
  list: z.array(z.object({ n: z.number().int(), none: z.string().nullable() })).max(20),
  event: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("open"), at: z.number() }),
    z.object({ kind: z.literal("close"), why: z.string().optional() }),
  ]),
});
const readable = schema.extend({ counters: z.record(z.string(), z.number()), trimmed: z.string().trim() });

const text = fc.oneof(fc.string({ maxLength: 40 }), fc.string({ unit: "binary", maxLength: 40 }));
const number = fc.oneof(
  fc.integer(),
  fc.nat({ max: 300 }),
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);
const shapes = {
  name: text,
  hex: fc.option(fc.constantFrom("", "00ff", "not hex"), { nil: undefined }),
  count: number,
  part: number,
  on: fc.boolean(),
  color: fc.constantFrom("red", "green", "dark blue"),
  body: fc.uint8Array({ maxLength: 320 }),
  list: fc.array(fc.record({ n: number, none: fc.option(text, { nil: null }) }), { maxLength: 22 }),
  event: fc.oneof(
    fc.record({ kind: fc.constant("open"), at: number }),
    fc.record({ kind: fc.constant("close"), why: fc.option(text, { nil: undefined }) }),
  ),
};
const values = fc.record(shapes);
const readables = fc.record({ ...shapes, counters: fc.dictionary(fc.string(), number), trimmed: text });

function write(of: z.ZodType, value: unknown, room = 65_536): Buffer | number {
  const bytes = Buffer.alloc(room + 8, 0xee);
  const end = codecOf(of).write(value, bytes, 4, 4 + room);
  expect(bytes.subarray(4 + room).every((byte) => byte === 0xee)).toBe(true); // W3
  return end < 0 ? end : bytes.subarray(4, end);
}

const read = (of: z.ZodType, bytes: Uint8Array): unknown => {
  const around = Buffer.concat([Buffer.alloc(3, 0xc1), bytes, Buffer.alloc(5, 0x01)]); // As in a frame: others' bytes before and after.
  return codecOf(of).read(around, 3, 3 + bytes.length);
};

/** Without the difference between a field that is absent and one that is undefined, and of kinds of byte arrays. */
function present(value: unknown): unknown {
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  if (Array.isArray(value)) return value.map(present);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(fields.map(([name, field]) => [name, present(field)]));
}

describe("writing", () => {
  test("what is written is what the library reads, whatever the value", () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = write(schema, value);
        if (typeof bytes === "number") throw new Error("a value of the right shape was refused");
        expect(present(decodePayload(bytes, 0, bytes.length))).toEqual(present(value));
      }),
    );
  });

  test("a value of another shape is left to the library, and nothing is written beyond the room", () => {
    const sound = {
      name: "a",
      count: 1,
      part: 1,
      on: true,
      color: "red",
      body: new Uint8Array(3),
      list: [],
      event: { kind: "open", at: 1 },
    };
    const odd = [
      undefined,
      null,
      7,
      "text",
      [],
      { ...sound, name: 7 },
      { ...sound, on: "yes" },
      { ...sound, color: "blue" },
    ];
    for (const value of odd) expect(write(schema, value)).toBe(UNSHAPED);
    for (const value of [
      { ...sound, body: [1, 2] },
      { ...sound, list: {} },
      { ...sound, event: { kind: "gone" } },
    ])
      expect(write(schema, value)).toBe(UNSHAPED);
    fc.assert(
      fc.property(values, fc.nat({ max: 600 }), (value, room) => {
        const bytes = write(schema, value, room);
        if (typeof bytes === "number") expect(bytes).toBe(CRAMPED);
      }),
    );
  });
});

describe("reading", () => {
  test("what the library writes is read as the schema reads it, or left to the schema", () => {
    let certain = 0;
    fc.assert(
      fc.property(readables, (value) => {
        const { hex, event, ...rest } = value;
        const sent = { ...rest, ...(hex === undefined ? {} : { hex }), event: JSON.parse(JSON.stringify(event)) };
        const ordered = Object.fromEntries(
          Object.keys(readable.shape).flatMap((key) => (key in sent ? [[key, sent[key as keyof typeof sent]]] : [])),
        );
        const bytes = encodePayload(ordered);
        const parsed = readable.safeParse(decodePayload(bytes, 0, bytes.length));
        const found = read(readable, bytes);
        if (found === UNSURE) return;
        certain += 1;
        expect(parsed.success).toBe(true);
        expect(present(found)).toEqual(present(parsed.data));
      }),
      { numRuns: 500 },
    );
    expect(certain).toBeGreaterThan(0);
  });

  test("what is written quickly and is valid is read quickly, but for a text whose UTF-16 units, not its code points, exceed a limit", () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = write(schema, value);
        if (typeof bytes === "number") throw new Error("not written");
        const parsed = schema.safeParse(decodePayload(bytes, 0, bytes.length));
        const found = read(schema, bytes);
        expect(found !== UNSURE).toBe(parsed.success && value.name.length <= NAME_MAX);
        if (found !== UNSURE) expect(present(found)).toEqual(present(parsed.data));
      }),
      { numRuns: 500 },
    );
  });

  test("whatever the bytes, what is accepted is what the schema accepts, and nothing throws", () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 });
    fc.assert(
      fc.property(readables, changes, fc.nat(), fc.boolean(), (value, edits, cut, shorten) => {
        const bytes = Buffer.from(encodePayload(value));
        for (const [at, byte] of edits) bytes[at % bytes.length] = byte;
        const part = shorten ? bytes.subarray(0, cut % bytes.length) : bytes;
        const found = read(readable, part);
        if (found === UNSURE) return;
        expect(readable.safeParse(found)).toEqual({ success: true, data: found });
      }),
      { numRuns: 1_000 },
    );
  });

  test("other encodings, orders and extra fields are left to the schema", () => {
    const small = z.object({ a: z.number().int(), b: z.string() });
    expect(read(small, pack({ a: 1, b: "x" }))).toEqual({ a: 1, b: "x" });
    expect(read(small, encodePayload({ b: "x", a: 1 }))).toBe(UNSURE);
    expect(read(small, encodePayload({ a: 1, b: "x", c: 1 }))).toBe(UNSURE);
    expect(read(small, encodePayload({ a: 1 }))).toBe(UNSURE);
    expect(read(small, encodePayload({ a: 1.5, b: "x" }))).toBe(UNSURE);
    expect(read(small, encodePayload({ a: 1, b: "x" }).subarray(0, -1))).toBe(UNSURE);
    expect(read(small, new Uint8Array(0))).toBe(UNSURE);
  });

  test("a schema with rules of its own is asked itself", () => {
    const even = z.object({ n: z.number().refine((n) => n % 2 === 0) });
    expect(read(even, encodePayload({ n: 2 }))).toEqual({ n: 2 });
    expect(read(even, encodePayload({ n: 3 }))).toBe(UNSURE);
    for (const rule of [z.strictObject({ n: z.number() }), z.object({ n: z.number() }).refine(({ n }) => n > 1)])
      expect(read(rule, encodePayload({ n: 2 }))).toBe(UNSURE);
    expect(read(z.object({ n: z.number().default(5) }), encodePayload({}))).toBe(UNSURE);
  });
});

test("the messages that a pool lives on are read and written quickly", () => {
  const { methods, pushes } = lineBackend("stratum");
  const line = { kind: "line", handle: 7, number: 2 ** 33, bytes: Buffer.from("{}") };
  const write1 = { kind: "write", handle: 7, acknowledges: [1, 2], bytes: Buffer.from("{}\n") };
  const cases: [z.ZodType, unknown][] = [
    [methods.events.request, { events: [line, { kind: "close", handle: 7, reason: "client" }] }],
    [pushes.out.message, { outs: [write1, { kind: "broadcast", group: "jobs", bytes: Buffer.from("{}\n") }] }],
    [methods.events.reply, {}],
    [reporter.methods.recordShares.reply, { outcomes: ["recorded", "duplicate"] }],
    [
      jobmanager.methods.submitBlock.request,
      { job: "ff", header: Buffer.alloc(80), coinbase: Buffer.alloc(9), worker: "w", connection: "c" },
    ],
  ];
  for (const [of, value] of cases) {
    const bytes = write(of, value);
    if (typeof bytes === "number") throw new Error(`not written: ${bytes}`);
    expect(present(read(of, bytes))).toEqual(present(value));
  }
});
