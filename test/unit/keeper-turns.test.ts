// Turns of messages and sockets at a channel: in order, few at a time, none behind a broken channel.

import { expect, test } from "@jest/globals";
import { type Channel, Turns } from "../../services/keeper/turns.js";

test("ten thousand sockets and words keep their order, and Node never has more than sixteen of them", () => {
  const handed: string[] = [];
  const receipts: (() => void)[] = [];
  const channel: Channel<string> = (message, handle, sent) => {
    handed.push(handle ?? JSON.stringify(message));
    receipts.push(sent);
    return true;
  };
  const turns = new Turns(channel);
  const said = Array.from({ length: 10_000 }, (_, i) => (i % 3 === 0 ? JSON.stringify({ i }) : `socket ${i}`));
  for (const [i, each] of said.entries()) turns.send({ i }, each.startsWith("socket") ? each : undefined);
  let most = 0;
  for (let receipt = receipts.shift(); receipt; receipt = receipts.shift()) {
    most = Math.max(most, receipts.length + 1);
    receipt();
  }
  expect(handed).toEqual(said);
  expect(most).toBe(16);
});

test("a channel that is written to at once needs no turn, and what follows a broken one is let go", () => {
  const handed: object[] = [];
  let whole = true;
  const turns = new Turns<never>((message, _handle, sent) => {
    if (!whole) return false;
    handed.push(message);
    sent();
    return true;
  });
  turns.send({ a: 1 });
  turns.send({ a: 2 });
  whole = false;
  turns.send({ a: 3 });
  whole = true;
  turns.send({ a: 4 });
  expect(handed).toEqual([{ a: 1 }, { a: 2 }, { a: 4 }]);
});
