// One suite for both ways of reaching a service, in this process and over ZeroMQ (promises N1 and W5): calls and their
// failures. nexus-local.test and nexus-remote.test run it.

import { expect, test } from "@jest/globals";
import { z } from "zod";
import { defineContract, method, WiringError } from "../../../lib/wiring/index.js";
import { until } from "../../kit/until.js";
import { contract } from "./mill.js";
import { failureOf, type MillInstance, openMill, openWorld } from "./world.js";

export type Kind = "local" | "remote";

async function setup(kind: Kind) {
  const world = await openWorld(kind);
  const mill = await openMill(world.host);
  const client = world.caller.client(contract);
  await client.ready(2_000);
  return { ...world, mill, client };
}

const holding = (mill: MillInstance, count = 1) =>
  until(`${count} requests are held`, 2_000, () => (mill.held.length >= count ? mill.held : undefined));

export function callsConform(kind: Kind): void {
  test("a call returns what the handler returns, bytes and all", async () => {
    const { client } = await setup(kind);
    const request = { text: "grain", bytes: new Uint8Array([0, 1, 255]) };
    const reply = z
      .object({ text: z.string(), bytes: z.instanceof(Uint8Array) })
      .parse(await client.call("echo", request));
    expect(reply.text).toBe("grain");
    expect([...reply.bytes]).toEqual([0, 1, 255]);
  });

  test("a handler that answers later is waited for, and knows its caller and its deadline", async () => {
    const { client, mill, caller } = await setup(kind);
    const before = performance.now();
    const call = client.call("hold", 7, { timeoutMs: 5_000 });
    const [held] = await holding(mill);
    expect(held?.context.caller).toBe(caller.peer);
    expect(held?.context.deadlineMs).toBeGreaterThan(before + 4_000);
    expect(held?.context.deadlineMs).toBeLessThan(performance.now() + 5_050);
    expect(held?.context.signal.aborted).toBe(false);
    held?.answer(8);
    expect(await call).toBe(8);
  });

  test("a handler that throws fails the call with REMOTE, once, and says that it ran", async () => {
    const { client, mill } = await setup(kind);
    mill.act = () => {
      throw new Error("the stone is broken");
    };
    expect(await failureOf(client.call("act", 1))).toMatchObject({ code: "REMOTE", sent: true });
    expect(mill.begun).toEqual([1]);
    mill.act = async () => {
      throw new Error("the stone is broken");
    };
    expect((await failureOf(client.call("act", 2))).message).toContain("the stone is broken");
  });

  test("a handler that refuses is asked again within the budget, and its code reaches the caller in the end", async () => {
    const { client, mill } = await setup(kind);
    mill.act = () => {
      throw new WiringError("OVERLOADED", "the bins are full");
    };
    expect(await failureOf(client.call("act", 1, { timeoutMs: 1_000 }))).toMatchObject({
      code: "OVERLOADED",
      sent: false,
    });
    expect(mill.begun.length).toBeGreaterThan(1);
    const refusedUntil = mill.begun.length + 5;
    mill.act = (request) =>
      mill.begun.length < refusedUntil ? Promise.reject(new WiringError("OVERLOADED", "wait")) : request;
    expect(await client.call("act", 5)).toBe(5);
  });

  test("a call that names its instance is attempted once", async () => {
    const { client, mill } = await setup(kind);
    mill.act = () => {
      throw new WiringError("OVERLOADED", "the bins are full");
    };
    const failure = await failureOf(client.call("act", 1, { to: mill.hosted.instance.id }));
    expect(failure).toMatchObject({ code: "OVERLOADED", sent: false });
    expect(mill.begun).toEqual([1]);
  });

  test("a failure of a call that a handler makes is never taken for a refusal of its own", async () => {
    const { client, mill, host } = await setup(kind);
    const nobody = defineContract({
      service: "nobody",
      methods: { ask: method({ request: z.null(), reply: z.null(), idempotent: true, timeoutMs: 20 }) },
      pushes: {},
    });
    const inner = host.client(nobody);
    mill.act = () => inner.call("ask", null);
    const failure = await failureOf(client.call("act", 1));
    expect(failure).toMatchObject({ code: "REMOTE", sent: true });
    expect(failure.message).toContain("NO_INSTANCE");
  });

  test("without an instance a call fails with NO_INSTANCE when its budget ends, not earlier", async () => {
    const { caller } = await openWorld(kind);
    const client = caller.client(contract);
    const before = performance.now();
    expect(await failureOf(client.call("hold", 1, { timeoutMs: 60 }))).toMatchObject({
      code: "NO_INSTANCE",
      sent: false,
    });
    expect(performance.now() - before).toBeGreaterThan(55);
  });

  test("a call made before its service exists is served as soon as it does", async () => {
    const { caller, host } = await openWorld(kind);
    const call = caller.client(contract).call("echo", { text: "early" });
    await openMill(host);
    expect(await call).toEqual({ text: "early" });
  });

  test("a call without a reply fails with TIMEOUT at its deadline, and the handler is told", async () => {
    const { client, mill } = await setup(kind);
    const before = performance.now();
    expect(await failureOf(client.call("hold", 1, { timeoutMs: 50 }))).toMatchObject({ code: "TIMEOUT", sent: true });
    expect(performance.now() - before).toBeGreaterThan(49);
    expect(performance.now() - before).toBeLessThan(500);
    await until("the handler's signal is aborted", 1_000, () => mill.held[0]?.context.signal.aborted);
  });

  test("aborting rejects at once with CANCELLED, and the handler is told", async () => {
    const { client, mill } = await setup(kind);
    const controller = new AbortController();
    const call = client.call("hold", 1, { signal: controller.signal });
    const [held] = await holding(mill);
    let aborted = false;
    held?.context.signal.addEventListener("abort", () => {
      aborted = true;
    });
    controller.abort();
    expect(await failureOf(call)).toMatchObject({ code: "CANCELLED" });
    await until("the handler's signal is aborted", 1_000, () => aborted);
    held?.answer(1); // Too late, and harmless.
  });

  test("a call that is aborted, or without a budget, before it is made never runs", async () => {
    const { client, mill } = await setup(kind);
    expect(await failureOf(client.call("act", 1, { signal: AbortSignal.abort() }))).toMatchObject({
      code: "CANCELLED",
    });
    expect(await failureOf(client.call("act", 2, { timeoutMs: 0 }))).toMatchObject({ code: "EXPIRED", sent: false });
    expect(await client.call("act", 3)).toBe(3);
    expect(mill.begun).toEqual([3]);
  });

  test("requests to one instance are begun in the order in which they were made", async () => {
    const { client, mill } = await setup(kind);
    mill.act = (request) => (request % 3 === 0 ? Promise.resolve(request) : request);
    const numbers = Array.from({ length: 500 }, (_, i) => i);
    await Promise.all(numbers.map((i) => client.call("act", i, i % 2 ? { to: mill.hosted.instance.id } : undefined)));
    expect(mill.begun).toEqual(numbers);
  });

  test("calls that share a key share one request, and each keeps its own way out", async () => {
    const { client, mill } = await setup(kind);
    const controller = new AbortController();
    const quitter = client.call("hold", 1, { coalesce: "a", signal: controller.signal });
    const hasty = client.call("hold", 1, { coalesce: "a", timeoutMs: 40 });
    const patient = client.call("hold", 1, { coalesce: "a" });
    const other = client.call("hold", 2, { coalesce: "b" });
    const held = await holding(mill, 2);
    controller.abort();
    expect(await failureOf(quitter)).toMatchObject({ code: "CANCELLED" });
    expect(await failureOf(hasty)).toMatchObject({ code: "TIMEOUT" });
    expect(held.map((one) => one.context.signal.aborted)).toEqual([false, false]);
    for (const one of held) one.answer(one.request * 10);
    expect(await Promise.all([patient, other])).toEqual([10, 20]);
    expect(held).toHaveLength(2);
    const next = client.call("hold", 3, { coalesce: "a" }); // The flight is over: a new one.
    (await holding(mill, 3))[2]?.answer(30);
    expect(await next).toBe(30);
  });

  test("when everyone who shares a request has given up, it is cancelled", async () => {
    const { client, mill } = await setup(kind);
    const controller = new AbortController();
    const calls = [1, 2].map(() => client.call("hold", 1, { coalesce: "a", signal: controller.signal }));
    const [held] = await holding(mill);
    const signal = held?.context.signal;
    controller.abort();
    for (const call of calls) expect(await failureOf(call)).toMatchObject({ code: "CANCELLED" });
    await until("the shared request is cancelled", 1_000, () => signal?.aborted);
  });

  test("a client refuses calls beyond its limit with OVERLOADED, and takes them again when others end", async () => {
    const world = await openWorld(kind, { callsMax: 3 });
    const mill = await openMill(world.host);
    const client = world.caller.client(contract);
    await client.ready(2_000);
    const calls = [1, 2, 3].map((n) => client.call("hold", n, {}));
    expect(await failureOf(client.call("hold", 4, {}))).toMatchObject({ code: "OVERLOADED", sent: false });
    for (const held of await holding(mill, 3)) held.answer(held.request);
    expect(await Promise.all(calls)).toEqual([1, 2, 3]);
    expect(await client.call("echo", { text: "room" }, {})).toEqual({ text: "room" });
  });

  test("a closed client settles what it has under way and refuses the rest", async () => {
    const { client, mill } = await setup(kind);
    const call = failureOf(client.call("hold", 1));
    await holding(mill);
    await client.close();
    expect(await call).toMatchObject({ code: "CANCELLED", sent: true });
    expect(await failureOf(client.call("hold", 2))).toMatchObject({ code: "CLOSED", sent: false });
    await client.close();
  });
}
