// The second part of the suite: instances that come, drain, leave and fail under their callers.

import { expect, test } from "@jest/globals";
import { type Instance, instanceId } from "../../../lib/wiring/index.js";
import { until } from "../../kit/until.js";
import type { Kind } from "./conformance.js";
import { contract } from "./mill.js";
import { failureOf, type MillInstance, openMill, openWorld } from "./world.js";

async function pair(kind: Kind) {
  const world = await openWorld(kind);
  const first = await openMill(world.host);
  const second = await openMill(kind === "local" ? world.host : await world.open());
  const client = world.caller.client(contract);
  await until("both are known", 2_000, () => client.instances().length === 2);
  return { ...world, first, second, client };
}

const heldBy = (...mills: MillInstance[]) => mills.flatMap((mill) => mill.held);

export function instancesConform(kind: Kind): void {
  test("instances are listed ready ones first, oldest first, and every change is told", async () => {
    const { client, first, second } = await pair(kind);
    const seen: string[] = [];
    const stop = client.watch((instances) => seen.push(instances.map(({ id, state }) => `${id} ${state}`).join()));
    expect(
      client
        .instances()
        .map(({ id }) => id)
        .sort(),
    ).toEqual([first, second].map((mill) => mill.hosted.instance.id).sort());
    const [eldest] = client.instances();
    const mill = eldest?.id === first.hosted.instance.id ? first : second;
    await mill.hosted.drain(100);
    await until("the draining one stands last", 1_000, () => client.instances()[1]?.id === eldest?.id);
    mill.hosted.describe({ stones: "2" });
    await until("its new description is known", 1_000, () => client.instances()[1]?.meta.stones === "2");
    mill.hosted.describe({ stones: "" });
    await until("what was taken away is gone", 1_000, () => !("stones" in (client.instances()[1]?.meta ?? {})));
    stop();
    const told = seen.length;
    await mill.hosted.close();
    await until("it is gone", 1_000, () => client.instances().length === 1);
    expect(seen).toHaveLength(told);
    expect(new Set(seen).size).toBeGreaterThanOrEqual(2);
  });

  test("a starting instance is registered but not called until it is announced", async () => {
    const { caller, host, directory } = await openWorld(kind);
    const mill = await openMill(host, { announce: false, meta: { colour: "red" } });
    const client = caller.client(contract);
    expect(directory.get(mill.hosted.instance.id)).toMatchObject({ state: "starting", meta: { colour: "red" } });
    expect(await failureOf(client.call("act", 1, { timeoutMs: 50 }))).toMatchObject({ code: "NO_INSTANCE" });
    await expect(client.ready(20)).rejects.toMatchObject({ code: "NO_INSTANCE" });
    const waiting = client.ready(2_000);
    await mill.hosted.announce();
    await waiting;
    expect(await client.call("act", 2)).toBe(2);
    expect(mill.begun).toEqual([2]);
  });

  test("a client that comes after the last one was closed begins anew, and its first call is answered", async () => {
    const { caller, first, client } = await pair(kind);
    expect(await client.call("act", 1)).toBe(1);
    await client.close();
    const next = caller.client(contract);
    await next.ready(2_000);
    expect(await next.call("act", 2, { timeoutMs: 1_000 })).toBe(2);
    await first.hosted.close();
    expect(await next.call("act", 3, { timeoutMs: 1_000 })).toBe(3);
  });

  test("who wants to ask all instances waits until all are connected, or is told how many are", async () => {
    const { caller, client, first } = await pair(kind);
    const another = caller.client(contract);
    await another.ready(2_000, 2);
    expect(another.instances()).toHaveLength(2);
    await expect(another.ready(20, 3)).rejects.toMatchObject({ message: expect.stringContaining("2 of 3") });
    await first.hosted.close();
    await until("one has left", 2_000, () => client.instances().length === 1);
    await expect(client.ready(20, 2)).rejects.toMatchObject({ code: "NO_INSTANCE" });
  });

  test("`to` reaches that instance only, `prefer` any other when it is not there", async () => {
    const { client, first, second } = await pair(kind);
    for (const mill of [first, second, first]) await client.call("act", 1, { to: mill.hosted.instance.id });
    await client.call("act", 2, { prefer: second.hosted.instance.id });
    expect([first.begun, second.begun]).toEqual([
      [1, 1],
      [1, 2],
    ]);
    const absent = instanceId.parse("mill-00000000");
    expect(await failureOf(client.call("act", 3, { to: absent }))).toMatchObject({ code: "NO_INSTANCE", sent: false });
    expect(await client.call("act", 4, { prefer: absent })).toBe(4);
  });

  test("draining finishes what has begun and refuses what is new; others take over", async () => {
    const { client, first, second } = await pair(kind);
    const { id } = first.hosted.instance;
    const call = client.call("once", 1, { to: id });
    const [held] = await until("it is held", 1_000, () => (first.held.length > 0 ? first.held : undefined));
    let drained = false;
    const drain = first.hosted.drain(5_000).then(() => {
      drained = true;
    });
    await until(
      "everyone knows",
      1_000,
      () => client.instances().find((one: Instance) => one.id === id)?.state === "draining",
    );
    expect(await failureOf(client.call("act", 2, { to: id }))).toMatchObject({ code: "DRAINING", sent: false });
    for (let i = 0; i < 10; i += 1) await client.call("act", i);
    expect(first.begun).toEqual([]);
    expect(second.begun).toHaveLength(10);
    expect(drained).toBe(false);
    held?.answer(11);
    expect(await call).toBe(11);
    await drain;
  });

  test("draining ends at its timeout, whatever is still under way", async () => {
    const { client, first } = await pair(kind);
    const call = failureOf(client.call("once", 1, { to: first.hosted.instance.id }));
    await until("it is held", 1_000, () => first.held.length > 0);
    const before = performance.now();
    await first.hosted.drain(60);
    expect(performance.now() - before).toBeGreaterThan(50);
    await first.hosted.close();
    expect(await call).toMatchObject({ code: "DISCONNECTED", sent: true });
  });

  test("when an instance goes with calls in flight, those that may be repeated are, at once, and the others say that they may have run", async () => {
    const { client, first, second } = await pair(kind);
    const safe = client.call("hold", 1);
    const [held] = await until("it is held", 1_000, () =>
      heldBy(first, second)[0] ? heldBy(first, second) : undefined,
    );
    const [dying, living] = held?.instance === first.hosted.instance.id ? [first, second] : [second, first];
    const unsafe = failureOf(client.call("once", 2, { prefer: dying.hosted.instance.id }));
    await until("both are held", 1_000, () => dying.held.length === 2);
    const { signal } = dying.held[0]?.context ?? {};
    await dying.hosted.close();
    expect(await unsafe).toMatchObject({ code: "DISCONNECTED", sent: true });
    const [again] = await until("it is repeated", 1_000, () => (living.held.length > 0 ? living.held : undefined));
    expect(again?.request).toBe(1);
    expect(signal?.aborted).toBe(true);
    again?.answer(12);
    expect(await safe).toBe(12);
  });

  test("a slow instance's call is made at another one, too, when asked for: the first answer counts, the other is called off", async () => {
    const { client, first, second } = await pair(kind);
    const hedged = client.call("hold", 7, { hedgeMs: 50 });
    const [slow, other] = await until("both have it", 2_000, () => {
      const held = heldBy(first, second);
      return held.length === 2 && held;
    });
    expect(slow?.instance).not.toBe(other?.instance);
    other?.answer(70);
    expect(await hedged).toBe(70);
    await until("the slow one is told", 1_000, () =>
      heldBy(first, second).some(({ context }) => context.signal.aborted),
    );
    const late = client.call("hold", 8, { hedgeMs: 50 });
    const [one, two] = await until("both have the next", 2_000, () => {
      const held = heldBy(first, second).filter(({ request }) => request === 8);
      return held.length === 2 && held;
    });
    two?.throw(new Error("broken"));
    one?.answer(80);
    expect(await late).toBe(80);
    const once = client.call("once", 9, { hedgeMs: 20, timeoutMs: 200 });
    expect(await failureOf(once)).toMatchObject({ code: "TIMEOUT" });
    expect(heldBy(first, second).filter(({ request }) => request === 9)).toHaveLength(1); // It must not run twice.
  });

  test("when nobody can repeat a call that may have run, its failure says that it may have run", async () => {
    const { caller, host } = await openWorld(kind);
    const mill = await openMill(host);
    const call = failureOf(caller.client(contract).call("hold", 1, { timeoutMs: 300 }));
    await until("it is held", 1_000, () => mill.held.length > 0);
    await mill.hosted.close();
    expect(await call).toMatchObject({ code: "DISCONNECTED", sent: true });
  });

  test("closing is safe twice, and a closed service is gone from discovery", async () => {
    const { first, directory, client } = await pair(kind);
    await Promise.all([first.hosted.close(), first.hosted.close()]);
    expect(directory.get(first.hosted.instance.id)).toBeUndefined();
    await until("its callers know", 1_000, () => client.instances().length === 1);
  });
}
