import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { InstanceId } from "../../lib/wiring/index.js";
import type { Connection } from "../../services/edge/connection.js";
import { type FakeBackend, LIMITS, line, World } from "../kit/switchboard.js";

type Step =
  | { readonly kind: "line"; readonly client: number }
  | { readonly kind: "send"; readonly backend: number; readonly outcome: Parameters<World["send"]>[1] }
  | { readonly kind: "answer" | "kill" | "drain" | "gap"; readonly backend: number }
  | { readonly kind: "add" | "time" };

const index = fc.nat(3);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("line" as const), client: index }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("send" as const),
      backend: index,
      outcome: fc.constantFrom("taken", "taken", "taken", "later", "refused", "failed-done", "failed-undone"),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("answer" as const), backend: index }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("kill", "drain", "gap"), backend: index }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("add" as const, "time" as const) }) },
);

function act(world: World, clients: readonly Connection[], sent: number[], each: Step): void {
  if (each.kind === "add") {
    if (world.backends.length < 4) world.add();
  } else if (each.kind === "time") {
    world.nowMs += 400;
    world.board.tick();
  } else if (each.kind === "line") {
    const connection = clients[each.client];
    if (connection && world.board.hasRoom(connection)) {
      sent[each.client] = (sent[each.client] ?? 0) + 1;
      line(world, connection, `${sent[each.client]}`);
    }
  } else if ("backend" in each) {
    const backend = world.backends[each.backend];
    if (!backend) return;
    if (each.kind === "send") world.send(backend, each.outcome);
    else if (each.kind === "answer") world.answer(backend);
    else if (each.kind === "kill") world.kill(backend);
    else if (each.kind === "drain") world.drain(backend);
    else {
      backend.outs.splice(0, 1); // Lost on the way, and noticed.
      world.board.gap(backend.id);
    }
  }
}

test("whatever happens to backends, in any order: every line is answered exactly once, in order, and the state has no hole", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const world = new World();
      world.add();
      const clients = ["a", "b", "c", "d"].map((name) => world.client(name));
      const sent = [0, 0, 0, 0];
      for (const each of steps) act(world, clients, sent, each);
      world.add();
      world.settle();
      for (const [i, connection] of clients.entries()) {
        expect(world.answersOf(connection)).toEqual(
          Array.from({ length: sent[i] ?? 0 }, (_, n) => `${n + 1}#${n + 1}`),
        );
      }
      expect(world.board.status()).toMatchObject({ connections: 4, unacknowledgedLines: 0, heldBytes: 0 });
    }),
    { numRuns: 400 },
  );
});

test("a backend that stands still loses its clients to one that answers, and gets new ones when it is heard again", () => {
  const world = new World();
  const [stuck, well] = [world.add(), world.add()];
  const [a, b] = [world.client("a"), world.client("b")];
  line(world, a, "1");
  world.send(stuck); // It takes the line, and is stopped before it answers.
  world.send(well);
  const late = stuck.outs.splice(0);
  const others = () => {
    world.ticks(1);
    world.board.heard(well.id);
  };
  for (let i = 0; i < LIMITS.silenceTicks; i++) others();
  expect(world.board.status().backends.map(({ connections }) => connections)).toEqual([1, 1]);
  others();
  expect(world.board.status().backends.map(({ connections }) => connections)).toEqual([0, 2]);
  while (world.send(well)) world.answer(well);
  expect(world.answersOf(a)).toEqual(["1#1"]);
  world.board.apply(stuck.id, late); // It goes on: what it says of `a` counts for nothing.
  expect(world.answersOf(a)).toEqual(["1#1"]);
  world.settle();
  expect(stuck.heard.at(-1)).toMatchObject({ kind: "close", reason: "moved" });
  world.client("c");
  expect(world.board.status().backends.map(({ connections }) => connections)).toEqual([1, 2]);
  expect([a, b].map((each) => each.closed)).toEqual([false, false]);
});

test("C1 clients whose lines wait are given to the next backend before those that wait for nothing", () => {
  const world = new World();
  const [dying, well] = [world.add(), world.add()];
  const clients = Array.from({ length: 8 }, (_, i) => world.client(`${i}`)); // Every other one is with each.
  for (const i of [4, 6]) line(world, clients[i] as Connection, "1");
  for (const backend of [dying, well]) while (world.send(backend)) world.answer(backend);
  for (const i of [2, 6]) line(world, clients[i] as Connection, "2");
  world.kill(dying);
  world.send(well);
  const opened = well.heard.flatMap((event) => (event.kind === "open" ? [event.connection] : []));
  expect(opened.slice(-4).slice(0, 2).sort()).toEqual(["2", "6"]);
  expect(opened.slice(-2).sort()).toEqual(["0", "4"]);
});

test("a backend under suspicion gets everybody as soon as it is heard again, where there is no other one", () => {
  const world = new World();
  const [doubtful, well] = [world.add(), world.add()];
  const [a, b] = [world.client("a"), world.client("b")];
  line(world, a, "1");
  world.send(doubtful, "failed-undone");
  world.send(well);
  world.kill(well);
  line(world, b, "1");
  const served = () => world.board.status().backends[0]?.connections;
  expect(served()).toBe(0); // What fails at once is not tried again at once.
  for (let i = 0; i < 3; i++) {
    world.board.heard(doubtful.id);
    world.ticks(1);
  }
  expect(served()).toBe(2);
  while (world.send(doubtful)) world.answer(doubtful);
  expect([a, b].map((each) => world.answersOf(each))).toEqual([["1#1"], ["1#1"]]);
});

test("where no backend is heard nobody moves: it may be this process, or the whole machine, that is slow", () => {
  const world = new World();
  const backends = [world.add(), world.add()];
  world.client("a");
  world.client("b");
  for (const backend of backends) world.send(backend);
  world.ticks(50);
  expect(world.board.status().backends.map(({ connections }) => connections)).toEqual([1, 1]);
});

const dead = ({ heard }: FakeBackend) =>
  heard.some((event) => event.kind === "line" && Buffer.from(event.bytes).toString() === "poison");

test("a client whose line kills every backend is closed, and nobody else, after a few deaths", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), fc.nat(), fc.boolean(), (clients, which, answering) => {
      const world = new World();
      world.add();
      const all = Array.from({ length: clients }, (_, i) => world.client(`c${i}`));
      const poison = which % clients;
      for (const [i, connection] of all.entries()) line(world, connection, i === poison ? "poison" : "plain");
      let deaths = 0;
      for (let round = 0; round < 200; round++) {
        world.ticks(1);
        const [backend] = world.backends;
        if (!backend) break;
        while (!dead(backend) && world.send(backend)) if (answering && !dead(backend)) world.answer(backend);
        if (!dead(backend)) continue;
        world.kill(backend, true);
        deaths++;
        world.add();
      }
      world.settle();
      expect(world.expelled).toEqual([`c${poison}`]);
      expect(deaths).toBeLessThanOrEqual(3 + Math.ceil(Math.log2(clients)));
      const others = all.filter((_, i) => i !== poison);
      for (const connection of others)
        expect([connection.closed, world.answersOf(connection)]).toEqual([false, ["plain#1"]]);
    }),
    { numRuns: 100 },
  );
});

test("backends that die for other reasons end nobody: whose line was taken by one that lived on is beyond suspicion", () => {
  const world = new World();
  const all = Array.from({ length: 30 }, (_, i) => world.client(`c${i}`));
  for (const connection of all) line(world, connection, "slow"); // Nothing is acknowledged: what recording needs is away.
  for (let death = 0; death < 8; death++) {
    const backend = world.add();
    for (let i = 0; i < 40; i++) {
      world.ticks(1);
      while (world.send(backend)) backend.outs.splice(0);
      world.answerProbes();
    }
    world.kill(backend, true);
  }
  world.add();
  world.settle();
  expect(world.expelled).toEqual([]);
  for (const connection of all) expect(world.answersOf(connection)).toEqual(["slow#1"]);
});

test("line numbers begin above those of every earlier epoch, and grow", () => {
  const world = new World();
  const backend = world.add();
  const connection = world.client("a");
  line(world, connection, "x");
  line(world, connection, "y");
  world.send(backend);
  const numbers = backend.heard.flatMap((event) => (event.kind === "line" ? [event.number] : []));
  expect(numbers).toEqual([3 * 2 ** 32 + 1, 3 * 2 ** 32 + 2]);
});

test("new clients go to the least loaded backend, old ones stay where they are", () => {
  const world = new World();
  const first = world.add();
  for (let i = 0; i < 4; i++) world.client(`a${i}`);
  world.add();
  for (let i = 0; i < 4; i++) world.client(`b${i}`);
  expect(world.board.status().backends.map(({ connections }) => connections)).toEqual([4, 4]);
  world.send(first);
  expect(first.heard.every(({ kind }) => kind === "open")).toBe(true);
});

test("asked to, it moves idle clients to a new backend, a few at a time, each told to both", () => {
  const world = new World({ rebalancePerTick: 3 });
  const first = world.add();
  for (let i = 0; i < 40; i++) world.client(`a${i}`);
  const second = world.add();
  world.nowMs += 5_001;
  world.board.tick();
  expect(world.board.status().backends.map(({ connections }) => connections)).toEqual([37, 3]);
  world.settle();
  const [most = 0, least = 0] = world.board.status().backends.map(({ connections }) => connections);
  expect(most + least).toBe(40);
  expect(most - least).toBeLessThanOrEqual(10);
  expect(first.sessions.size).toBe(most);
  expect(second.sessions.size).toBe(least);
  expect(first.heard.filter((event) => event.kind === "close" && event.reason === "moved")).toHaveLength(least);
});

test("J1 a backend that has just come, or was silent, may not have the newest work yet: for five seconds nobody is moved to it", () => {
  const world = new World({ rebalancePerTick: 3 });
  const first = world.add();
  for (let i = 0; i < 40; i++) world.client(`a${i}`);
  const second = world.add();
  const moved = () => world.board.status().backends[1]?.connections;
  const after = (ms: number) => {
    world.nowMs += ms;
    world.board.tick();
    world.board.heard(first.id);
    return moved();
  };
  expect(after(4_900)).toBe(0);
  world.board.heard(second.id);
  for (let i = 0; i < LIMITS.silenceTicks; i++) world.board.tick(); // Silent before the five seconds are over.
  expect(after(200)).toBe(0);
  world.board.heard(second.id);
  expect(after(4_900)).toBe(0);
  world.board.heard(second.id);
  expect(after(200)).toBe(3);
});

test("a backend that drains keeps its clients until their lines are acknowledged, and hears nothing new", () => {
  const world = new World();
  const old = world.add();
  const connection = world.client("a");
  line(world, connection, "1");
  world.send(old);
  world.drain(old);
  const next = world.add();
  line(world, connection, "2");
  world.send(old);
  expect(world.board.status().backends.map(({ connections }) => connections)).toEqual([1, 0]);
  world.answer(old);
  world.settle();
  expect(world.answersOf(connection)).toEqual(["1#1", "2#2"]);
  expect(old.heard.map(({ kind }) => kind)).toEqual(["open", "line", "close"]);
  expect(next.heard.map(({ kind }) => kind)).toEqual(["open", "line"]);
});

test("a backend that drains without acknowledging loses its clients when its time is over", () => {
  const world = new World();
  const old = world.add();
  const connection = world.client("a");
  line(world, connection, "1");
  world.send(old);
  world.drain(old);
  world.add();
  world.nowMs += LIMITS.drainMs;
  world.board.tick();
  expect(world.board.status().backends.map(({ connections }) => connections)).toEqual([0, 1]);
  world.answer(old); // Too late: another one answers.
  expect(world.answersOf(connection)).toEqual([]);
  world.settle();
  expect(world.answersOf(connection)).toEqual(["1#1"]);
});

test("a broadcast reaches the members that this backend has, and no others", () => {
  const world = new World();
  const [first, second] = [world.add(), world.add()];
  const [a, b, c] = [world.client("a"), world.client("b"), world.client("c")];
  for (const each of [first, second]) world.send(each);
  for (const each of [first, second]) {
    for (const handle of each.sessions.keys()) world.board.apply(each.id, [{ kind: "write", handle, join: "all" }]);
  }
  world.board.apply(first.id, [{ kind: "broadcast", group: "all", bytes: Buffer.from("one") }]);
  expect([a, b, c].map((each) => world.answersOf(each))).toEqual([["one"], [], ["one"]]);
  world.kill(first);
  world.board.apply(second.id, [{ kind: "broadcast", group: "all", bytes: Buffer.from("two") }]);
  expect([a, b, c].map((each) => world.answersOf(each))).toEqual([["one"], ["two"], ["one"]]); // Moved ones join anew.
});

test("a client has room again as its lines are acknowledged; all together hold no more than their bound", () => {
  const world = new World({ heldBytesMax: 500 });
  const backend = world.add();
  const [a, b] = [world.client("a"), world.client("b")];
  for (let i = 0; i < LIMITS.linesMax; i++) {
    expect(world.board.hasRoom(a)).toBe(true);
    line(world, a, "x");
  }
  expect(world.board.hasRoom(a)).toBe(false);
  line(world, b, "y".repeat(100));
  expect(world.board.hasRoom(b)).toBe(false); // Not for its own lines, but for everybody's.
  world.send(backend);
  world.answer(backend);
  expect([a, b].map((each) => world.board.hasRoom(each))).toEqual([true, true]);
  expect(world.board.status().heldBytes).toBe(0);
});

test("the last lines of a client that has gone still reach its backend, before the close", () => {
  const world = new World();
  const backend = world.add();
  const connection = world.client("a");
  line(world, connection, "last");
  world.board.close(connection, "client");
  world.board.close(connection, "client"); // Safe twice.
  world.send(backend);
  expect(backend.heard.map(({ kind }) => kind)).toEqual(["open", "line", "close"]);
  expect(world.board.status()).toMatchObject({ connections: 0, heldBytes: 0 });
});

test("a client that left just when its backend died is told to another one, with its last line, and to no third", () => {
  const world = new World();
  const first = world.add();
  const connection = world.client("a");
  line(world, connection, "1");
  world.send(first);
  world.answer(first);
  line(world, connection, "last");
  world.board.close(connection, "client");
  const second = world.add();
  world.kill(first);
  world.send(second);
  expect(second.heard).toMatchObject([{ kind: "open" }, { kind: "line" }, { kind: "close", reason: "client" }]);
  expect((second.heard[0] as { state?: Uint8Array }).state).toEqual(Buffer.from("1"));
  const third = world.add();
  world.kill(second);
  world.settle();
  expect(third.heard).toEqual([]);
});

test("clients that leave while there is no backend are told to the next one, if any had known them", () => {
  const world = new World();
  const first = world.add();
  const [known, stranger] = [world.client("known"), world.client("stranger")];
  line(world, known, "1");
  world.send(first);
  world.answer(first);
  world.kill(first);
  line(world, known, "late");
  for (const connection of [known, stranger]) world.board.close(connection, "client");
  const second = world.add();
  world.settle();
  expect(second.heard).toMatchObject([
    { kind: "open", connection: "known" },
    { kind: "close", reason: "client" },
  ]);
  expect(world.board.status()).toMatchObject({ connections: 0, heldBytes: 0 });
});

test("no backend hears of a health check before it says something", () => {
  const world = new World();
  const backend = world.add();
  const check = world.client("check", { local: true });
  expect(world.send(backend)).toBe(false);
  line(world, check, "ping");
  world.send(backend);
  expect(backend.heard.map(({ kind }) => kind)).toEqual(["open", "line"]);
});

test("what an unknown or former owner says of a connection counts for nothing", () => {
  const world = new World();
  const first = world.add();
  const connection = world.client("a");
  line(world, connection, "1");
  world.send(first);
  const late = first.outs.splice(0);
  world.board.gap(first.id);
  world.board.apply(first.id, late);
  world.board.apply("lines-nobody" as InstanceId, late);
  expect(world.answersOf(connection)).toEqual([]);
  world.settle();
  expect(world.answersOf(connection)).toEqual(["1#1"]);
});
