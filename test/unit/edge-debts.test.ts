import { expect, test } from "@jest/globals";
import { type Debtor, Debts } from "../../services/edge/debts.js";

class Reader implements Debtor {
  owed = 0;
  unsentBytes = 0;
  closed = false;
  giveUp(): void {
    this.closed = true;
    this.unsentBytes = 0;
  }
}

function setup(bytesMax: number, readers: number) {
  const clock = { nowMs: 0 };
  const told: number[] = [];
  const debts = new Debts(
    bytesMax,
    () => clock.nowMs,
    (closed) => void told.push(closed),
  );
  const all = Array.from({ length: readers }, () => new Reader());
  const write = (reader: Reader, bytes: number) => {
    clock.nowMs += 100;
    reader.unsentBytes += bytes;
    debts.wrote(reader);
  };
  return { debts, all, write, told, clock };
}

test("U what all clients have not read is bounded: those that owe most are closed until a quarter is free, and counted", () => {
  const { debts, all, write, told } = setup(1_000, 10);
  for (const [i, reader] of all.entries()) write(reader, 20 * (i + 1)); // 1,100 in all
  expect(all.map(({ closed }) => closed)).toEqual([...Array(8).fill(false), true, true]);
  expect(debts.bytes).toBeLessThanOrEqual(750);
  expect(told).toEqual([2]);
});

test("clients that read are closed for nobody: what they took meanwhile is counted before anybody is closed", () => {
  const { debts, all, write } = setup(1_000, 10);
  for (let round = 0; round < 50; round++) {
    for (const reader of all) write(reader, 90);
    for (const reader of all) reader.unsentBytes = 0;
  }
  expect(all.some(({ closed }) => closed)).toBe(false);
  for (const reader of all) debts.gone(reader);
  expect(debts.bytes).toBe(0);
});

test("a client that is gone owes nothing", () => {
  const { debts, all, write } = setup(1_000, 3);
  for (const reader of all) write(reader, 400);
  for (const reader of all) debts.gone(reader);
  expect(debts.bytes).toBe(0);
});
