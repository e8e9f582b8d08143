// Late shares are asked about together, and not for long.

import { expect, test } from "@jest/globals";
import type { Claim, ConnectionId, LineNumber } from "../../../lib/contracts/index.js";
import { quiet, WiringError } from "../../../lib/wiring/index.js";
import { OutKnown } from "../../../services/stratum/out-known.js";

const claim = (line: number): Claim => ({
  identity: Buffer.alloc(32, line),
  connection: "c" as ConnectionId,
  line: line as LineNumber,
  height: 7,
});

function setup(answer: (lines: number[]) => boolean[] | Promise<boolean[]>) {
  const asked: { readonly lines: number[]; readonly timeoutMs: number | undefined }[] = [];
  const call = async (_: string, { claims }: { claims: Claim[] }, options?: { timeoutMs?: number }) => {
    const lines = claims.map(({ line }) => line as number);
    asked.push({ lines, timeoutMs: options?.timeoutMs });
    return { known: await answer(lines) };
  };
  return { asked, out: new OutKnown({ call } as unknown as ConstructorParameters<typeof OutKnown>[0], quiet) };
}

test("what is asked in one tick, or while a question is under way, is one question", async () => {
  let answer = (_: boolean[]): void => {};
  const held = new Promise<boolean[]>((resolve) => {
    answer = resolve;
  });
  const { asked, out } = setup((lines) => (lines.includes(1) ? held : lines.map((line) => line % 2 === 0)));
  const first = [1, 2].map((line) => out.known(claim(line)));
  await new Promise(setImmediate);
  const later = [3, 4].map((line) => out.known(claim(line)));
  expect(asked.map(({ lines }) => lines)).toEqual([[1, 2]]);
  answer([true, false]);
  expect(await Promise.all(first)).toEqual([true, false]);
  expect(await Promise.all(later)).toEqual([false, true]);
  expect(asked.map(({ lines }) => lines)).toEqual([
    [1, 2],
    [3, 4],
  ]);
});

test("C1 with nobody to tell, a late share is not known, well before a second has passed; the next one is asked about anew", async () => {
  let away = true;
  const { asked, out } = setup((lines) => {
    if (away) throw new WiringError("UNAVAILABLE", "Redis is away");
    return lines.map(() => true);
  });
  expect(await out.known(claim(1))).toBe(false);
  expect(asked[0]?.timeoutMs).toBeLessThan(500);
  away = false;
  expect(await out.known(claim(1))).toBe(true);
});
