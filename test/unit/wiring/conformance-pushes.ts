// The third part of the suite: pushes.

import { expect, test } from "@jest/globals";
import type { Client, Instance, MessageOf, PushOrigin } from "../../../lib/wiring/index.js";
import { until } from "../../kit/until.js";
import type { Kind } from "./conformance.js";
import { contract, type Mill } from "./mill.js";
import { openMill, openWorld } from "./world.js";

type Flour = MessageOf<Mill, "flour">;

/** Writes down what a subscription sees: `join`, `7@3` (message at sequence), `7@s` (snapshot), `gap 2-5`, `leave gone`. */
export function listen(client: Client<Mill>) {
  const seen: string[] = [];
  const origins: Instance[] = [];
  const subscription = client.subscribe("flour", {
    onJoin: () => seen.push("join"),
    onMessage: ({ sack }: Flour, { sequence, snapshot, instance }: PushOrigin) => {
      seen.push(`${sack}@${snapshot ? "s" : sequence}`);
      origins.push(instance);
    },
    onGap: (_from, { expected, received }) => seen.push(`gap ${expected}-${received}`),
    onLeave: (_from, reason) => seen.push(`leave ${reason}`),
  });
  return { seen, origins, subscription };
}

export function pushesConform(kind: Kind): void {
  test("a subscriber gets the snapshot first, then every push, numbered from 1, in order", async () => {
    const { caller, host } = await openWorld(kind);
    let sacks = [1, 2];
    const mill = await openMill(host, { snapshots: { flour: () => sacks.map((sack) => ({ sack })) } });
    const { seen, origins } = listen(caller.client(contract));
    await until("the snapshot is there", 2_000, () => seen.length === 3);
    sacks = [];
    for (let sack = 3; sack <= 6; sack += 1) mill.hosted.push("flour", { sack });
    expect(seen).toHaveLength(3); // Never within push().
    await until("all pushes are there", 2_000, () => seen.length === 7);
    expect(seen).toEqual(["join", "1@s", "2@s", "3@1", "4@2", "5@3", "6@4"]);
    expect(origins.every(({ id }) => id === mill.hosted.instance.id)).toBe(true);
  });

  test("pushTo reaches one subscriber, and says when there is none", async () => {
    const { caller, host, open } = await openWorld(kind);
    const subscribed: string[] = [];
    const mill = await openMill(host, { onSubscribe: (peer, push) => subscribed.push(`${peer} ${push}`) });
    const stranger = await open();
    const mine = listen(caller.client(contract));
    const theirs = listen(stranger.client(contract));
    await until("both are subscribed", 2_000, () => mill.hosted.subscribers("flour").length === 2);
    expect(subscribed.sort()).toEqual([`${caller.peer} flour`, `${stranger.peer} flour`].sort());
    expect(mill.hosted.pushTo(caller.peer, "flour", { sack: 1 })).toBe(true);
    expect(mill.hosted.pushTo(caller.peer, "dust", 1)).toBe(false);
    mill.hosted.push("flour", { sack: 2 });
    await until("both got what is theirs", 2_000, () => mine.seen.length === 3 && theirs.seen.length === 2);
    expect(mine.seen).toEqual(["join", "1@1", "2@2"]);
    expect(theirs.seen).toEqual(["join", "2@1"]);
    mine.subscription.close();
    await until("one has left", 2_000, () => mill.hosted.subscribers("flour").length === 1);
    expect(mill.hosted.pushTo(caller.peer, "flour", { sack: 3 })).toBe(false);
    expect(mine.seen).toHaveLength(3);
  });

  test("a subscription follows instances as they come and leave", async () => {
    const { caller, host } = await openWorld(kind);
    const { seen } = listen(caller.client(contract));
    const first = await openMill(host, { snapshots: { flour: () => [{ sack: 1 }] } });
    await until("the first is joined", 2_000, () => seen.length === 2);
    await first.hosted.close();
    await until("the first has left", 2_000, () => seen.length === 3);
    await openMill(host, { snapshots: { flour: () => [{ sack: 2 }] } });
    await until("the second is joined", 2_000, () => seen.length === 5);
    expect(seen).toEqual(["join", "1@s", "leave left", "join", "2@s"]);
  });

  test("a draining instance goes on pushing until it leaves", async () => {
    const { caller, host } = await openWorld(kind);
    const mill = await openMill(host);
    const { seen } = listen(caller.client(contract));
    await until("it is subscribed", 2_000, () => mill.hosted.subscribers("flour").length === 1);
    await mill.hosted.drain(50);
    mill.hosted.push("flour", { sack: 1 });
    await until("the push is there", 2_000, () => seen.includes("1@1"));
  });

  test("two subscriptions of one process are two streams, and a listener that throws harms neither", async () => {
    const { caller, host } = await openWorld(kind);
    const mill = await openMill(host);
    const client = caller.client(contract);
    client.subscribe("flour", {
      onMessage: () => {
        throw new Error("a bad listener");
      },
    });
    const { seen } = listen(client);
    await until("both have joined", 2_000, () => seen.length === 1);
    mill.hosted.push("flour", { sack: 1 });
    mill.hosted.push("flour", { sack: 2 });
    await until("the pushes are there", 2_000, () => seen.length === 3);
    expect(seen).toEqual(["join", "1@1", "2@2"]);
    expect(mill.hosted.subscribers("flour")).toEqual([caller.peer]);
  });
}
