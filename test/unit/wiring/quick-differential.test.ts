// The code that is made from a schema, held against the schema itself: what it accepts, library and schema accept with the same value.
//
// QUICK_RUNS=5000000 QUICK_SEED=7 for more than the default; a failure names the seed.

import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "@jest/globals";
import { z } from "zod";
import * as contracts from "../../../lib/contracts/index.js";
import type { Contract } from "../../../lib/wiring/index.js";
import { codecOf } from "../../../lib/wiring/quick/codec.js";
import { UNSURE } from "../../../lib/wiring/quick/reader.js";
import { decodePayload } from "../../../lib/wiring/rpc/payload.js";
import { Random } from "./random-values.js";

const RUNS = Number(process.env.QUICK_RUNS ?? 50_000);
const SEED = Number(process.env.QUICK_SEED ?? Date.now() % 1e9);

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length <= 5);
const battery: readonly z.ZodType[] = [
  z.object({
    ...{ min: z.string().min(2), max: z.string().max(3), both: z.string().min(2).max(4), exact: z.string().length(4) },
    ...{
      pattern: z.string().regex(/^[a-z]+$/g),
      two: z.string().max(64).regex(/^a/).regex(/.$/u),
      one: z.string().min(1).max(1),
    },
  }),
  z.object({
    ...{
      any: z.number(),
      int: z.number().int(),
      between: z.number().min(-5).max(300),
      open: z.number().gt(-0).lt(1e9),
    },
    ...{ positive: z.number().positive(), step: z.number().multipleOf(5), finite: z.number().finite(), safe: z.int() },
  }),
  z.object({
    ...{
      optional: z.string().max(2).optional(),
      nullable: z.number().nullable(),
      both: z.string().length(2).nullish(),
    },
    ...{ preset: z.boolean().default(true), caught: z.string().catch("z"), brand: z.string().max(2).brand("b") },
  }),
  z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("a"), n: z.number() }),
    z.object({ kind: z.enum(["b", "c"]), s: z.string().length(2).optional() }),
    z.object({ kind: z.literal("d") }),
  ]),
  z.object({ union: z.union([z.string().max(2), z.number()]), tuple: z.tuple([z.number(), z.string().max(2)]) }),
  z.object({
    record: z.record(z.string().max(2), z.number()),
    trimmed: z.string().trim().max(2),
    coerced: z.coerce.number(),
  }),
  z.strictObject({ list: z.array(z.array(z.number().int()).min(1).max(3)).length(2) }),
  z.array(z.object({ a: z.boolean(), b: z.array(z.string().max(3)).max(2) })).max(20),
  z
    .object({ even: z.number().refine((n) => n % 2 === 0), emails: z.string().email().optional() })
    .refine((o) => o.even !== 4),
  ...[
    z.number(),
    z.string().max(10),
    z.string().min(1).max(2).optional(),
    bytes,
    z.enum(["x", "yy", "a long word of more than 31 characters"]),
  ],
];

function schemasOf(contract: Contract): [string, z.ZodType][] {
  const methods = Object.entries(contract.methods).flatMap(([name, { request, reply }]): [string, z.ZodType][] => [
    [`${contract.service}.${name} request`, request],
    [`${contract.service}.${name} reply`, reply],
  ]);
  const pushes = Object.entries(contract.pushes).map(([name, { message }]): [string, z.ZodType] => [
    `${contract.service}.${name}`,
    message,
  ]);
  return [...methods, ...pushes];
}

const { reporter, jobmanager, stratum, haproxy, edge, dashboard, lineBackend } = contracts;
const schemas: readonly [string, z.ZodType][] = [
  ...battery.map((schema, i): [string, z.ZodType] => [`battery ${i}`, schema]),
  ...[reporter, jobmanager, stratum, haproxy, edge, dashboard, lineBackend("lines")].flatMap(schemasOf),
];

/** Without what no reader tells apart: an absent field and an undefined one, kinds of byte arrays. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, field]) => (field === undefined ? [] : [[name, plain(field)]])),
  );
}

/** @returns what is wrong; undefined: nothing. */
function disagreement(schema: z.ZodType, payload: Buffer): string | undefined {
  const frame = Buffer.concat([Buffer.alloc(3, 0xc1), payload, Buffer.alloc(4, 0xa1)]);
  const quick = codecOf(schema).read(frame, 3, 3 + payload.length);
  if (quick === UNSURE) return undefined;
  try {
    const slow = schema.safeParse(decodePayload(frame, 3, 3 + payload.length));
    if (!slow.success) return `it accepts what the schema refuses: ${slow.error.issues[0]?.message}`;
    return isDeepStrictEqual(plain(quick), plain(slow.data)) ? undefined : "it reads another value";
  } catch (error) {
    return `it accepts what the library refuses: ${String(error)}`;
  }
}

const room = Buffer.alloc(70_000);

/** A value that the schema takes must arrive as what the schema makes of it; one that it refuses must not arrive as valid. */
function carriedWrongly(schema: z.ZodType, value: unknown): string | undefined {
  const end = codecOf(schema).write(value, room, 0, 65_000);
  if (end < 0) return undefined;
  const [before, after] = [schema.safeParse(value), schema.safeParse(decodePayload(room, 0, end))];
  if (before.success !== after.success)
    return before.success ? "a valid value arrives invalid" : "an invalid value arrives valid";
  const wellFormed = JSON.parse(JSON.stringify(plain(before.data) ?? null).replace(/\\ud[89a-f]../g, "\ufffd"));
  const same = !before.success || isDeepStrictEqual(JSON.parse(JSON.stringify(plain(after.data) ?? null)), wellFormed);
  return same ? undefined : "a value arrives as another one";
}

describe("the quick way and the schema agree", () => {
  test(
    `on ${RUNS.toLocaleString("en")} random and mutated messages of all contracts`,
    () => {
      const random = new Random(SEED);
      const wrong = new Map<string, string>();
      for (let run = 0; run < RUNS && wrong.size < 20; run += 5) {
        const [name, schema] = random.pick(schemas);
        const value = random.value(schema);
        const note = (what: string | undefined, of: unknown) =>
          what && wrong.set(`${name}: ${what}`, String(of).slice(0, 300));
        note(carriedWrongly(schema, value), JSON.stringify(plain(value)));
        const payload = random.bytes(value);
        note(disagreement(schema, payload), payload.toString("hex"));
        for (let i = 0; i < 4; i += 1) {
          const mutated = random.mutated(payload);
          note(disagreement(schema, mutated), mutated.toString("hex"));
        }
      }
      expect({ seed: SEED, wrong: [...wrong] }).toEqual({ seed: SEED, wrong: [] });
    },
    60_000 + RUNS,
  );

  test("on texts as long as a bound in bytes, in UTF-16 units or in code points", () => {
    const sizes = [0, 1, 2, 3, 4, 5, 8, 15, 16, 31, 32, 33, 64, 128];
    for (const schema of [
      z.string().length(4),
      z.string().min(4),
      z.string().max(4),
      z.string().min(2).max(32),
      z.string().length(64),
    ])
      for (const character of ["a", "é", "漢", "\u{1f600}"])
        for (const size of sizes) {
          const payload = new Random(size).bytes(character.repeat(size));
          expect([character, size, disagreement(schema, payload)]).toEqual([character, size, undefined]);
        }
  });
});

test("a connection's id that has more bytes than characters is refused before it spoils the record of others' shares", () => {
  const share = contracts.reporter.methods.recordShares.request.shape.shares.element;
  const connection = (id: string) => share.shape.connection.safeParse(id).success;
  expect([connection("x".repeat(64)), connection("\u{1f600}".repeat(64)), connection("é")]).toEqual([
    true,
    false,
    false,
  ]);
});
