// Calls that arrive together are recorded together, and each gets its own outcomes.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { SHARES_MAX } from "../../../lib/contracts/index.js";
import { Batcher } from "../../../services/reporter/batch.js";

const tick = () => new Promise((resolve) => setImmediate(resolve));

describe("batches", () => {
  test("whatever calls come whenever, each gets its own results in order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.integer(), { minLength: 1, maxLength: 5 }), { maxLength: 20 }),
        async (calls) => {
          const batcher = new Batcher<number, string>(async (items) => {
            await tick();
            return items.map(String);
          });
          const results = await Promise.all(calls.map((items) => batcher.add(items)));
          expect(results).toEqual(calls.map((items) => items.map(String)));
        },
      ),
    );
  });

  test("one call goes out at a time; what comes meanwhile goes out together, at most as much as a batch may hold", async () => {
    const sizes: number[] = [];
    let under = 0;
    const batcher = new Batcher<number, number>(async (items) => {
      expect(++under).toBe(1);
      sizes.push(items.length);
      await tick();
      under -= 1;
      return items;
    });
    const calls = [
      [1],
      ...Array.from({ length: 25 }, () => new Array<number>(100).fill(0)),
      new Array<number>(2_000).fill(0),
    ];
    await Promise.all(calls.map((items) => batcher.add(items)));
    expect(sizes).toEqual([1, 1_000, 1_000, 500, 2_000]);
    expect(batcher.waiting).toBe(0);
  });

  test("a batch that fails fails all its calls, and the next one goes on", async () => {
    let attempt = 0;
    const batcher = new Batcher<number, number>(async (items) => {
      await tick();
      if (++attempt === 2) throw new Error("away");
      return items;
    });
    const results = await Promise.allSettled([1, 2, 3].map((item) => batcher.add([item])));
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
    expect(await batcher.add([4])).toEqual([4]);
  });

  test("more than may wait is refused before anything is done with it", async () => {
    let release = () => {};
    const batcher = new Batcher<number, number>((items) => new Promise((resolve) => (release = () => resolve(items))));
    const full = new Array<number>(SHARES_MAX).fill(0);
    const first = batcher.add([1]);
    const waiting = Array.from({ length: 16 }, () => batcher.add(full));
    await expect(batcher.add([2])).rejects.toMatchObject({ code: "OVERLOADED", sent: false });
    for (let i = 0; i < 17; i++) {
      release();
      await tick();
    }
    await Promise.all([first, ...waiting]);
  });
});
