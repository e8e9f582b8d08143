// What a service's own code does must not harm the wiring: whatever it throws or returns, its caller gets REMOTE, and everybody else is served.

import { expect, test } from "@jest/globals";
import { until } from "../../kit/until.js";
import type { Kind } from "./conformance.js";
import { hostileValues } from "./hostile-values.js";
import { contract } from "./mill.js";
import { failureOf, openMill, openWorld } from "./world.js";

async function setup(kind: Kind) {
  const world = await openWorld(kind);
  const mill = await openMill(world.host);
  const client = world.caller.client(contract);
  await client.ready(2_000);
  return { ...world, mill, client };
}

const thrower = () => {
  throw new Error("it throws");
};

export function hostileCodeIsBorne(kind: Kind): void {
  test.each(Object.entries(hostileValues))(
    "a handler that throws %s fails its call with REMOTE, and no other",
    async (_, make) => {
      const { client, mill } = await setup(kind);
      const beside = client.call("hold", 1);
      const rejected = (reason: unknown) => new Promise((_resolve, reject) => reject(reason));
      mill.act = () => {
        throw make();
      };
      expect(await failureOf(client.call("act", 1))).toMatchObject({ code: "REMOTE", sent: true });
      expect(await failureOf(client.call("act", 1, { timeoutMs: 1_000 }))).toMatchObject({
        code: "REMOTE",
        sent: true,
      });
      mill.act = () => rejected(make());
      const failure = await failureOf(client.call("act", 2));
      expect(failure).toMatchObject({ code: "REMOTE", sent: true });
      expect(failure.message.length).toBeLessThan(1_100);
      await until("the other call is held", 2_000, () => mill.held[0]);
      mill.held[0]?.answer(3);
      expect(await beside).toBe(3);
    },
  );

  test("a handler's own kind of promise may throw, or settle twice: its call is settled once", async () => {
    const { client, mill } = await setup(kind);
    // biome-ignore lint/suspicious/noThenProperty: a false promise is what is tried here.
    const promiseLike = (then: PropertyDescriptor) => () => Object.defineProperty({}, "then", then);
    mill.act = promiseLike({ get: thrower });
    expect(await failureOf(client.call("act", 1))).toMatchObject({ code: "REMOTE" });
    mill.act = promiseLike({ value: thrower });
    expect(await failureOf(client.call("act", 1))).toMatchObject({ code: "REMOTE" });
    const twice = (done: (value: number) => void) => {
      done(4);
      done(5);
    };
    mill.act = promiseLike({ value: twice });
    expect(await client.call("act", 1)).toBe(4);
    await mill.hosted.drain(1_000); // Nothing is counted as under way.
    expect(mill.hosted.instance.state).toBe("draining");
  });

  test("listeners that throw or reject are reported, and nothing else happens", async () => {
    const { client, mill } = await setup(kind);
    const heard: number[] = [];
    const stop = client.watch(() => Promise.reject(new Error("an asynchronous listener fails")));
    client.subscribe("flour", {
      onJoin: () => Promise.reject(new Error("an asynchronous listener fails")) as never,
      onMessage: async ({ sack }) => {
        heard.push(sack);
        throw hostileValues["a message whose getter throws"]?.();
      },
    });
    await until("the subscription stands", 2_000, () => mill.hosted.subscribers("flour").length > 0);
    mill.hosted.push("flour", { sack: 1 });
    mill.hosted.push("flour", { sack: 2 });
    await until("both are heard", 2_000, () => heard.length === 2);
    stop();
  });
}
