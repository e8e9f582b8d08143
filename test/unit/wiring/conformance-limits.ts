// A limit refuses by name, and is free again when its user goes.

import { expect, test } from "@jest/globals";
import { z } from "zod";
import { defineContract, push } from "../../../lib/wiring/index.js";
import { until } from "../../kit/until.js";
import type { Kind } from "./conformance.js";
import { contract } from "./mill.js";
import { openMill, openWorld } from "./world.js";

export function limitsConform(kind: Kind): void {
  test("a subscription beyond the limit is refused with OVERLOADED; every other one hears, and a closed one makes room", async () => {
    const { caller, host } = await openWorld(kind, { subscriptionsMax: 5 });
    const mill = await openMill(host);
    const [one, two] = [caller.client(contract), caller.client(contract)]; // Of one process: they share the limit.
    const heard = new Set<number>();
    const listen = (client: typeof one, who: number) => client.subscribe("dust", { onMessage: () => heard.add(who) });
    const subscriptions = [0, 1, 2, 3, 4].map((who) => listen(who % 2 ? one : two, who));
    expect(() => listen(one, 5)).toThrow(/OVERLOADED.*5 subscriptions are open already/);
    await until("it is subscribed", 2_000, () => mill.hosted.subscribers("dust").length === 1);
    await until("all of them hear", 2_000, () => {
      mill.hosted.push("dust", 1);
      return heard.size === 5;
    });
    subscriptions[0]?.close();
    subscriptions[0]?.close(); // Twice frees one.
    listen(two, 6);
    expect(() => listen(two, 7)).toThrow("OVERLOADED");
    await two.close();
    listen(one, 8);
    listen(one, 9);
  });

  test("a subscription to a push that the instance does not have is refused by name, not silent", async () => {
    const { caller, host } = await openWorld(kind);
    await openMill(host);
    const newer = defineContract({ ...contract, pushes: { bran: push(z.number()) } });
    const refusals: string[] = [];
    caller
      .client(newer)
      .subscribe("bran", { onMessage() {}, onRefused: (_from, error) => refusals.push(error.message) });
    await until("it is refused", 2_000, () => refusals.length === 1);
    expect(refusals[0]).toMatch(/NO_METHOD.*has no push bran/);
  });

  test("a snapshot of any size arrives whole and once, and the pushes beside it follow without a gap", async () => {
    const { caller, host } = await openWorld(kind);
    const pad = "x".repeat(100);
    const stock = Array.from({ length: 100_000 }, (_, sack) => ({ sack, pad }));
    let taken = 0;
    const snapshot = () => {
      taken += 1;
      return stock;
    };
    const mill = await openMill(host, { snapshots: { flour: snapshot } });
    let next = 0; // Of the stock.
    const pushed: number[] = [];
    const wrong: string[] = [];
    caller.client(contract).subscribe("flour", {
      onMessage: ({ sack }, { sequence, snapshot }) => {
        if (!snapshot) pushed.push(sequence);
        else if (sack !== next++ || pushed.length > 0) wrong.push(`${sack} in the place of ${next - 1}`);
      },
      onGap: () => wrong.push("gap"),
    });
    const timer = setInterval(() => {
      for (let i = 0; i < 10; i += 1) mill.hosted.push("flour", { sack: 1, pad });
    }, 5); // 2,000 a second.
    try {
      await until(
        "the snapshot and 1,000 pushes are there",
        20_000,
        () => next === stock.length && pushed.length >= 1_000,
      );
    } finally {
      clearInterval(timer);
    }
    expect({ wrong, taken }).toEqual({ wrong: [], taken: 1 });
    expect(pushed).toEqual(pushed.map((_, i) => (pushed[0] ?? 0) + i));
  }, 30_000);
}
