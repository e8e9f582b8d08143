// The hash functions that the project brings along say what Node's own say, for whatever bytes and however many at once.

import { scryptSync } from "node:crypto";
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { SCRYPT, ScryptThreads } from "../../../lib/contracts/chain/pow/scrypt-threads.js";
import { until } from "../../kit/until.js";

const header = fc.uint8Array({ minLength: 80, maxLength: 80 });
const wanted = (it: Uint8Array): string => scryptSync(it, it, 32, SCRYPT).toString("hex");
const hexOf = (hash: Uint8Array): string => Buffer.from(hash).toString("hex");

async function hashed(threads: ScryptThreads, headers: readonly Uint8Array[]): Promise<string[]> {
  return (await Promise.all(headers.map((it) => threads.hash(it)))).map(hexOf);
}

test("threads hash any number of headers as crypto.scrypt does, each for its own", async () => {
  const threads = new ScryptThreads(2);
  try {
    await until("the threads are there", 10_000, async () => {
      await threads.hash(new Uint8Array(80));
      return threads.ready === 2;
    });
    await fc.assert(
      fc.asyncProperty(fc.array(header, { minLength: 1, maxLength: 70 }), async (headers) => {
        expect(await hashed(threads, headers)).toEqual(headers.map(wanted));
      }),
      { numRuns: 15 },
    );
  } finally {
    threads.close();
  }
});

test("a header is hashed though threads have not begun, or end under it", async () => {
  const threads = new ScryptThreads(1);
  const headers = Array.from({ length: 150 }, (_, i) => new Uint8Array(80).fill(i));
  try {
    expect(await hashed(threads, headers.slice(0, 3))).toEqual(headers.slice(0, 3).map(wanted));
    await until("the thread is there", 10_000, () => threads.ready === 1);
    const all = hashed(threads, headers);
    setImmediate(() => threads.close());
    expect(await all).toEqual(headers.map(wanted));
  } finally {
    threads.close();
  }
});
