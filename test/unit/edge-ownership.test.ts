// What a backend is told when a connection becomes its own, and what of an earlier owner counts no more.

import { expect, test } from "@jest/globals";
import type { ClientEvent, LineNumber } from "../../lib/contracts/index.js";
import { type FakeBackend, LIMITS, line, World } from "../kit/switchboard.js";

const sendAll = (world: World, backend: FakeBackend): void => {
  while (world.send(backend)) world.answer(backend);
};
const opens = ({ heard }: FakeBackend) => heard.filter((event) => event.kind === "open");
const lines = ({ heard }: FakeBackend) => heard.filter((event) => event.kind === "line");

test("a connection whose backend handed over state is not `adopted` at the next one", () => {
  const world = new World();
  const first = world.add();
  const connection = world.client("a", {}, { adopted: true });
  line(world, connection, "1");
  sendAll(world, first);
  const second = world.add();
  world.kill(first);
  sendAll(world, second);
  expect([first, second].map((backend) => opens(backend).map(({ adopted }) => adopted))).toEqual([[true], [false]]);
});

test("a second beginning of a backend's stream gives its connections and lines anew", () => {
  const world = new World();
  const backend = world.add();
  const connection = world.client("a");
  line(world, connection, "1");
  world.send(backend);
  backend.outs.splice(0); // The answer fell between two streams.
  world.board.joined(backend.id);
  world.settle();
  expect(world.answersOf(connection)).toEqual(["1#1"]);
});

test("S7 an adopted client without state that leaves is told to the next backend", () => {
  const world = new World();
  const connection = world.client("a", {}, { adopted: true });
  world.board.close(connection, "client");
  const backend = world.add();
  world.settle();
  expect(backend.heard).toMatchObject([
    { kind: "open", connection: "a", adopted: true },
    { kind: "close", reason: "client" },
  ]);
});

test("B2 lines that were not told when everybody left are told to the next owner only", () => {
  const world = new World();
  const backend = world.add();
  const connection = world.client("a");
  sendAll(world, backend);
  const { handle } = connection;
  line(world, connection, "1");
  world.board.gap(backend.id);
  world.settle();
  expect(lines(backend).map((event) => event.handle)).toEqual([connection.handle]);
  expect(connection.handle).not.toBe(handle);
  expect(world.answersOf(connection)).toEqual(["1#1"]);
});

test("a line that is given to another backend says `again`, a first delivery does not", () => {
  const world = new World();
  const first = world.add();
  const connection = world.client("a");
  line(world, connection, "1");
  world.send(first);
  const second = world.add();
  world.kill(first);
  line(world, connection, "2");
  sendAll(world, second);
  expect(lines(first).map(({ again }) => again)).toEqual([undefined]);
  expect(lines(second).map(({ again }) => again)).toEqual([true, undefined]);
});

test("a batch that failed is never sent again: its connections have new handles", () => {
  const world = new World();
  const backend = world.add();
  const connection = world.client("a");
  line(world, connection, "1");
  const batch = world.board.batch(backend.id) ?? [];
  const { handle } = connection;
  world.board.failed(backend.id, batch);
  world.settle();
  expect(backend.heard.filter((event: ClientEvent) => event.handle === handle && event.kind !== "close")).toEqual([]);
  expect(world.answersOf(connection)).toEqual(["1#1"]);
});

test("lines acknowledged in any order give back all their bytes, here and in the whole", () => {
  const world = new World();
  const backend = world.add();
  const connection = world.client("a");
  for (const text of ["1", "2", "3"]) line(world, connection, text);
  world.send(backend);
  const numbers = connection.lines.map(({ number }) => number);
  const all = connection.heldBytes;
  const left: number[] = [];
  for (const number of [numbers[2], numbers[0], numbers[1]] as LineNumber[]) {
    world.board.apply(backend.id, [{ kind: "write", handle: connection.handle, acknowledges: [number] }]);
    left.push(connection.heldBytes);
  }
  expect(left).toEqual([(all * 2) / 3, all / 3, 0]);
  expect([connection.heldBytes, world.board.status().heldBytes, connection.lines.length]).toEqual([0, 0, 0]);
});

test("one strike puts nobody on trial: after one death the next backend has everybody at once", () => {
  const world = new World();
  const first = world.add();
  const all = Array.from({ length: 6 }, (_, i) => world.client(`c${i}`));
  for (const connection of all) line(world, connection, "1");
  world.send(first);
  const second = world.add();
  world.kill(first, true);
  world.send(second);
  expect(opens(second)).toHaveLength(6);
  world.answer(second);
  for (const connection of all) expect(world.answersOf(connection)).toEqual(["1#1"]);
});

test("T2 time acquits only from the moment at which the line was taken", () => {
  const world = new World();
  const connection = world.client("a");
  line(world, connection, "poison");
  for (let death = 0; death < 3; death++) {
    const backend = world.add();
    world.ticks(1);
    world.board.batch(backend.id); // It is busy, and takes the line late.
    world.ticks(20);
    world.board.heard(backend.id);
    world.kill(backend, true);
  }
  expect(world.expelled).toEqual(["a"]);
});

test("B5 only clients that wait for nothing are moved to balance", () => {
  const world = new World({ rebalancePerTick: 40 });
  const first = world.add();
  const all = Array.from({ length: 40 }, (_, i) => world.client(`a${i}`));
  sendAll(world, first);
  for (const connection of all.slice(0, 37)) line(world, connection, "1");
  const second = world.add();
  world.nowMs += 5_001;
  world.board.tick();
  while (world.send(second));
  expect(
    opens(second)
      .map((event) => event.connection)
      .sort(),
  ).toEqual(["a37", "a38", "a39"]);
});

test("S2 the first handle of a later epoch is greater than every handle of an earlier one", () => {
  const world = new World(LIMITS);
  world.add();
  const { handle } = world.client("a");
  expect(handle).toBeGreaterThan(world.board.epoch * 2 ** 32);
  expect(handle).toBeLessThan((world.board.epoch + 1) * 2 ** 32);
});
