// The same value arrives in this process and in another one, or both refuse it (N1).

import { expect, test } from "@jest/globals";
import { z } from "zod";
import { defineContract, method, push } from "../../../lib/wiring/index.js";
import { until } from "../../kit/until.js";
import type { Kind } from "./conformance.js";
import { failureOf, openWorld } from "./world.js";

const schemas = {
  any: z.any(),
  error: z.instanceof(Error),
  date: z.date(),
  bigint: z.bigint(),
  map: z.map(z.string(), z.number()),
  set: z.set(z.number()),
  transform: z.string().transform((text) => text.length),
  preset: z.object({ n: z.number().default(9) }),
  bounded: z.object({ text: z.any().refine((text) => String(text).length < 5) }),
};
type Name = keyof typeof schemas;

const spec = (schema: z.ZodType) => method({ request: schema, reply: z.any(), idempotent: true, timeoutMs: 2_000 });
const contract = defineContract({
  service: "values",
  methods: {
    ...(Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, spec(schema)])) as Record<
      Name,
      ReturnType<typeof spec>
    >),
    /** Replies with what the test says. */
    give: method({
      request: z.null(),
      reply: z.any().refine((value) => value !== "wrong"),
      idempotent: true,
      timeoutMs: 2_000,
    }),
  },
  pushes: { loose: push(z.any().refine((value) => value !== "wrong")) },
});

async function setup(kind: Kind) {
  const { caller, host } = await openWorld(kind);
  const seen: unknown[] = [];
  const service = { given: undefined as unknown, seen };
  const take = (value: unknown) => {
    seen.push(value);
    return null;
  };
  const handlers = Object.fromEntries(Object.keys(schemas).map((name) => [name, take])) as unknown as Record<
    Name,
    typeof take
  >;
  const hosted = await host.host(contract, { ...handlers, give: () => service.given });
  const client = caller.client(contract);
  await client.ready(2_000);
  return { client, hosted, service };
}

const date = new Date(1_700_000_000_123);
const circle: Record<string, unknown> = {};
circle.self = circle;
const refused: [Name, string, unknown][] = [
  ["any", "a Map", new Map([["a", 1]])],
  ["any", "a Set within an object", { list: [new Set([1])] }],
  ["any", "an Error", new TypeError("boom")],
  ["any", "a RegExp", /a+/g],
  ["any", "a typed array of another kind", new Float64Array([1.5])],
  ["any", "an array with holes", Object.assign([1], { 2: 3 })],
  ["error", "an error where the schema asks for one", new TypeError("boom")],
  ["any", "a function", () => 1],
  ["any", "a symbol", Symbol("s")],
  ["any", "a value that contains itself", circle],
  ["bigint", "a number of more than 64 bits", 2n ** 100n],
  ["map", "what a schema of a Map takes", new Map([["a", 1]])],
  ["set", "what a schema of a Set takes", new Set([1])],
  ["transform", "what a schema makes of it", 3],
  ["bounded", "what the schema refuses", { text: "too long" }],
];
const arriving: [Name, string, unknown, unknown?][] = [
  ["any", "a nested object with bytes", { a: [1, { b: null }], c: Buffer.from("x") }],
  ["any", "numbers at their edges", [Number.NaN, Number.NEGATIVE_INFINITY, 2 ** 53, 5e-324]],
  ["date", "a date", date],
  ["bigint", "a bigint", 2n ** 63n - 1n],
  ["preset", "a default", {}, { n: 9 }],
];

export function valuesConform(kind: Kind): void {
  test.each(refused)("%s refuses %s, and the handler does not run", async (name, _, value) => {
    const { client, service } = await setup(kind);
    expect(await failureOf(client.call(name, value))).toMatchObject({ code: "INVALID_REQUEST", sent: false });
    expect(service.seen).toEqual([]);
  });

  test.each(arriving)("%s takes %s, and the handler sees it", async (name, _, value, arrives = value) => {
    const { client, service } = await setup(kind);
    await client.call(name, value);
    expect(service.seen).toEqual([arrives]);
  });

  test("a request is a value: what its handler changes, its caller does not see", async () => {
    const { client, service } = await setup(kind);
    const request = { list: [1] };
    await client.call("any", request);
    (service.seen[0] as { list: number[] }).list.push(2);
    expect(request).toEqual({ list: [1] });
  });

  test("a reply that cannot be sent fails with REMOTE, one that does not fit with INVALID_REPLY", async () => {
    const { client, service } = await setup(kind);
    const throwing = Object.defineProperty({}, "x", {
      enumerable: true,
      get() {
        throw new Error("it cannot be read");
      },
    });
    for (const given of [new Map(), () => 1, throwing]) {
      service.given = given;
      expect(await failureOf(client.call("give", null))).toMatchObject({ code: "REMOTE", sent: true });
    }
    service.given = "wrong";
    expect(await failureOf(client.call("give", null))).toMatchObject({ code: "INVALID_REPLY" });
  });

  test("a push that cannot be sent is refused to who pushes; one that does not fit is a gap; the next one arrives", async () => {
    const { client, hosted } = await setup(kind);
    const seen: unknown[] = [];
    client.subscribe("loose", { onMessage: (message) => seen.push(message), onGap: () => seen.push("gap") });
    await until("it is subscribed", 2_000, () => hosted.subscribers("loose").length === 1);
    expect(() => hosted.push("loose", new Map())).toThrow("a Map cannot be sent");
    hosted.push("loose", { n: 1 });
    hosted.push("loose", "wrong");
    hosted.push("loose", { n: 2 });
    await until("all are there", 2_000, () => seen.length === 3);
    expect(seen).toEqual([{ n: 1 }, "gap", { n: 2 }]);
  });
}
