// What an exception in a backend's handler costs: the client that causes it, and nobody else.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { ClientEvent } from "../../lib/contracts/index.js";
import { type FakeBackend, line, World } from "../kit/switchboard.js";

const isBug = (event: ClientEvent): boolean =>
  (event.kind === "line" && Buffer.from(event.bytes).toString() === "bug") ||
  (event.kind === "open" && event.connection === "bug");

function buggy(world: World, breaksOn = isBug): FakeBackend {
  const backend = world.add();
  backend.breaksOn = breaksOn;
  return backend;
}

function run(world: World, rounds: number, each: (round: number) => void = () => {}): void {
  for (let round = 0; round < rounds; round++) {
    each(round);
    world.ticks(1);
    for (const backend of [...world.backends]) while (world.send(backend)) world.answer(backend);
    for (const backend of world.backends) world.answer(backend);
    world.answerProbes();
  }
}

test("S5 a client whose line makes every backend throw is closed, and nobody else: the others are answered, each line once", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 40 }),
      fc.nat(),
      fc.integer({ min: 1, max: 3 }),
      (clients, which, backends) => {
        const world = new World({ linesMax: 100 });
        for (let i = 0; i < backends; i++) buggy(world);
        const all = Array.from({ length: clients }, (_, i) => world.client(`c${i}`));
        const poison = which % clients;
        const others = all.filter((_, i) => i !== poison);
        for (const [i, connection] of all.entries()) line(world, connection, i === poison ? "bug" : "plain");
        run(world, 60, (round) => {
          if (round < 20) for (const connection of others) line(world, connection, "more");
        });
        expect(world.expelled).toEqual([`c${poison}`]);
        for (const connection of others) {
          expect(connection.closed).toBe(false);
          expect(world.answersOf(connection)).toEqual([
            "plain#1",
            ...Array.from({ length: 20 }, (_, n) => `more#${n + 2}`),
          ]);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("S5 a client whose arrival, or state, makes every backend throw is closed, and nobody else", () => {
  const world = new World();
  buggy(world);
  buggy(world);
  const others = ["a", "b", "c", "d"].map((name) => world.client(name));
  const bug = world.client("bug");
  run(world, 40, (round) => {
    if (round < 4) for (const connection of others) line(world, connection, `${round}`);
  });
  expect([bug.closed, world.expelled]).toEqual([true, ["bug"]]);
  for (const connection of others) expect(world.answersOf(connection)).toEqual(["0#1", "1#2", "2#3", "3#4"]);
});

test("a client that is served by the same backend, and said nothing when it threw, does not move", () => {
  const world = new World();
  const backend = buggy(world);
  const [quiet, bug] = [world.client("quiet"), world.client("b")];
  run(world, 2);
  const { handle } = quiet;
  line(world, bug, "bug");
  run(world, 2);
  expect([quiet.handle, bug.handle > handle]).toEqual([handle, true]);
  expect(backend.heard.filter((event) => event.kind === "close").map((event) => event.handle)).not.toContain(handle);
});

test("while a backend throws on everything (what it needs is away) nobody is closed; all are answered when it does so no more", () => {
  const world = new World();
  const backends = [buggy(world, ({ kind }) => kind === "line"), buggy(world, ({ kind }) => kind === "line")];
  const all = Array.from({ length: 50 }, (_, i) => world.client(`c${i}`));
  for (const connection of all) line(world, connection, "plain");
  run(world, 300);
  expect(world.expelled).toEqual([]);
  const told = backends[0]?.heard.length ?? 0;
  expect(told).toBeLessThan(2_000); // It is not asked without a pause.
  for (const backend of backends) backend.breaksOn = undefined;
  run(world, 40);
  expect(world.expelled).toEqual([]);
  for (const connection of all) expect(world.answersOf(connection)).toEqual(["plain#1"]);
});

test("a client that left, and whose goodbye makes every backend throw, is let go after a few; others' goodbyes arrive", () => {
  const world = new World();
  const bugs = new Set<unknown>();
  const backend = buggy(
    world,
    (event) => event.kind === "close" && event.reason === "client" && bugs.has(event.handle),
  );
  const [bug, other, third] = [world.client("x"), world.client("y"), world.client("z")];
  for (const connection of [bug, other, third]) line(world, connection, "1");
  run(world, 2);
  const isBugs = (event: ClientEvent) => event.kind === "open" && event.connection === "x";
  backend.breaksOn = (event) => {
    if (isBugs(event)) bugs.add(event.handle);
    return event.kind === "close" && event.reason === "client" && bugs.has(event.handle);
  };
  bugs.add(bug.handle);
  world.board.close(bug, "client");
  world.board.close(other, "client");
  run(world, 100, (round) => line(world, third, `${round}`));
  const closes = backend.heard.filter((event) => event.kind === "close" && event.reason === "client");
  expect(closes.length).toBeLessThan(20);
  expect(backend.sessions.size).toBe(1);
  expect(third.closed).toBe(false);
});

test("T1 with two suspects at two backends neither is guilty when one dies", () => {
  const world = new World();
  const all = [world.client("a"), world.client("b"), world.client("c"), world.client("d")];
  for (const connection of all) line(world, connection, "slow");
  const [first, second] = [world.add(), world.add()];
  const mute = (backend: FakeBackend) => {
    while (world.send(backend)) backend.outs.splice(0);
  };
  for (const backend of [first, second]) mute(backend);
  world.kill(first, true);
  mute(second);
  const [one, two] = [world.add(), world.add()];
  world.kill(second, true);
  for (const backend of [one, two]) mute(backend);
  expect(world.board.status().backends.map(({ connections }) => connections)).toEqual([1, 1]);
  world.kill(one, true);
  expect(world.expelled).toEqual([]);
  expect(world.board.status().backends.map(({ connections }) => connections)).toEqual([1]);
  mute(two);
  world.ticks(10);
  world.add();
  world.settle();
  expect([world.expelled, all.some(({ closed }) => closed)]).toEqual([[], false]);
});
