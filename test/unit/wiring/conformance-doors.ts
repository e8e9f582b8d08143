// What is given to the wiring is checked where it is given: durations, names, descriptions. Nothing wraps, and nothing is published that no
// reader would accept.

import { expect, test } from "@jest/globals";
import { z } from "zod";
import { defineContract, method, push } from "../../../lib/wiring/index.js";
import { until } from "../../kit/until.js";
import type { Kind } from "./conformance.js";
import { contract } from "./mill.js";
import { failureOf, openMill, openWorld } from "./world.js";

const DAY_MS = 86_400_000;

export function doorsConform(kind: Kind): void {
  test.each([2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32 + 100, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY])(
    "a budget of %d ms is honoured for 24 days, and never wraps",
    async (timeoutMs) => {
      const { caller, host } = await openWorld(kind);
      const mill = await openMill(host);
      const client = caller.client(contract);
      await client.ready(timeoutMs);
      const call = client.call("hold", 7, { timeoutMs, hedgeMs: timeoutMs });
      const held = await until("the request is held", 2_000, () => mill.held[0]);
      expect(held.context.deadlineMs - performance.now()).toBeGreaterThan(24 * DAY_MS);
      held.answer(8);
      expect(await call).toBe(8);
    },
  );

  test("a budget that is no number is refused, and a client is as good as before after 17,000 of them", async () => {
    const { caller, host } = await openWorld(kind);
    await openMill(host);
    const client = caller.client(contract);
    await client.ready(2_000);
    for (const timeoutMs of [Number.NaN, "100" as never, null as never])
      expect(await failureOf(client.call("echo", { text: "" }, { timeoutMs }))).toMatchObject({
        code: "INVALID_REQUEST",
        sent: false,
      });
    const refused = Array.from({ length: 17_000 }, () => failureOf(client.call("hold", 1, { timeoutMs: Number.NaN })));
    expect((await Promise.all(refused)).every(({ code }) => code === "INVALID_REQUEST")).toBe(true);
    expect(await failureOf(client.call("hold", 1, { timeoutMs: -1 }))).toMatchObject({ code: "EXPIRED" });
    expect(await failureOf(client.call("hold", 1, { hedgeMs: Number.NaN }))).toMatchObject({ code: "INVALID_REQUEST" });
    expect(await failureOf(client.ready(Number.NaN))).toMatchObject({ code: "INVALID_REQUEST" });
    expect(await client.call("echo", { text: "still here" })).toEqual({ text: "still here" });
  });

  test("closing a client ends its waits for a service that is not there", async () => {
    const { caller } = await openWorld(kind);
    const client = caller.client(contract);
    const waiting = failureOf(client.ready(60_000));
    await client.close();
    expect(await waiting).toMatchObject({ code: "CLOSED" });
  });

  test("waiting for a service that is not there ends when it is told to, also after more than a timer takes", async () => {
    const { caller } = await openWorld(kind);
    let ended = false;
    const waiting = caller.client(contract).ready(2 ** 31);
    waiting.catch(() => {
      ended = true;
    });
    expect(await failureOf(caller.client(contract).ready(20))).toMatchObject({ code: "NO_INSTANCE" });
    expect(ended).toBe(false);
  });

  test.each(["My_Service", "UPPER", "a.b", "a b", "", "-x", "x".repeat(56)])(
    "a service cannot be named %j, neither by who offers it nor by who calls it",
    async (service) => {
      const { caller, host } = await openWorld(kind);
      const odd = defineContract({ service, methods: {}, pushes: {} });
      await expect(host.host(odd, {})).rejects.toThrow(/a service cannot be named .*(expected|Too big)/);
      expect(() => caller.client(odd)).toThrow("a service cannot be named");
    },
  );

  test("a name of 55 characters can be offered and found", async () => {
    const { caller, host } = await openWorld(kind);
    const long = defineContract({ service: "x".repeat(55), methods: {}, pushes: {} });
    await host.host(long, {});
    await caller.client(long).ready(2_000);
  });

  test("a method's or push's name and time-out are refused before anything is offered", async () => {
    const { host } = await openWorld(kind);
    const spec = { request: z.null(), reply: z.null(), idempotent: true };
    const offer = (methods: object, pushes = {}) =>
      host.host(defineContract({ service: "odd", methods: methods as never, pushes }), { "a\nb": () => null } as never);
    await expect(offer({ "a\nb": method(spec) })).rejects.toThrow("cannot be named");
    await expect(offer({}, { "": push(z.null()) })).rejects.toThrow("cannot be named");
    for (const timeoutMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])
      await expect(offer({ a: method({ ...spec, timeoutMs }) })).rejects.toThrow("a timeout of");
  });

  const fields = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, "v"]));
  const unpublishable: [string, Record<string, string>][] = [
    ["a text of 257 characters", { note: "x".repeat(257) }],
    ["33 fields", fields(33)],
    ["a name of 65 characters", { ["n".repeat(65)]: "x" }],
    ["a number", { note: 7 as never }],
  ];

  test.each(unpublishable)(
    "a description with %s is refused where it is given, and the instance stays findable",
    async (_, meta) => {
      const { caller, host } = await openWorld(kind);
      await expect(openMill(host, { meta })).rejects.toThrow("cannot be described so to discovery");
      const mill = await openMill(host, { meta: { note: "x".repeat(256) } });
      expect(() => mill.hosted.describe(meta)).toThrow("cannot be described so to discovery");
      expect(mill.hosted.instance.meta).toEqual({ note: "x".repeat(256) });
      await caller.client(contract).ready(2_000);
    },
  );
}
