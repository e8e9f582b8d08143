import { EventEmitter } from "node:events";
import { describe, expect, test } from "@jest/globals";
import type { ClientFacts, EdgeSays, KeeperSays } from "../../lib/contracts/index.js";
import { parseDoor } from "../../services/keeper/in-clients.js";
import { fewer } from "../../services/keeper/in-files.js";
import { Keeper } from "../../services/keeper/keeper.js";
import type { EdgePort } from "../../services/keeper/ports.js";

const ORIGIN = { door: "default", address: "unix", port: 0 };
const FACTS: ClientFacts = {
  connection: "id-1",
  listener: "plain",
  remoteAddress: "192.0.2.1",
  remotePort: 5,
  secure: false,
  local: false,
};

class FakeSocket extends EventEmitter {
  destroyed = false;
  destroy(): void {
    this.destroyed = true;
  }
}

interface FakeEdge extends EdgePort<FakeSocket> {
  readonly told: KeeperSays[];
  readonly signals: string[];
}

/** A keeper with edges that do what the test says, on a clock of its own. */
function setup(clientsMax = 10, standby = false) {
  const edges: FakeEdge[] = [];
  const timers: { atMs: number; what: () => void }[] = [];
  let nowMs = 0;
  const logged: Record<string, unknown>[] = [];
  const keeper = new Keeper<FakeSocket>(
    {
      fork(epoch) {
        const [told, signals]: [KeeperSays[], string[]] = [[], []];
        const edge = {
          epoch,
          pid: epoch,
          mark: `boot/ns/${epoch}/1`,
          told,
          signals,
          tell: (m: KeeperSays) => void told.push(m),
          signal: (s: string) => void signals.push(s),
        };
        edges.push(edge);
        return edge;
      },
      later(ms, what) {
        const timer = { atMs: nowMs + ms, what };
        timers.push(timer);
        return () => {
          const at = timers.indexOf(timer);
          if (at >= 0) timers.splice(at, 1);
        };
      },
      nowMs: () => nowMs,
      log: (event, fields) => void logged.push({ event, ...fields }),
    },
    { clientsMax, handoverMs: 1_000, standby },
  );
  const wait = (ms: number) => {
    nowMs += ms;
    for (const timer of timers.filter(({ atMs }) => atMs <= nowMs)) {
      timers.splice(timers.indexOf(timer), 1);
      timer.what();
    }
  };
  const accept = () => {
    const socket = new FakeSocket();
    keeper.accept(socket, ORIGIN);
    return socket;
  };
  const edge = (epoch: number) => {
    const found = edges[epoch];
    if (!found) throw new Error(`no edge ${epoch} was forked`);
    return found;
  };
  const says = (epoch: number, message: EdgeSays) => keeper.heard(edge(epoch), message);
  keeper.start();
  return { keeper, edges, edge, says, accept, wait, logged };
}

const clientsTold = (edge: FakeEdge) => edge.told.filter((message) => message.kind === "client");

test("nothing is said to an edge before it is ready; then it gets every client", () => {
  const { accept, edge, says } = setup();
  accept();
  expect(edge(0).told).toEqual([]);
  says(0, { kind: "ready" });
  accept();
  expect(clientsTold(edge(0)).map(({ id, adopted }) => [id, adopted])).toEqual([
    [1, false],
    [2, false],
  ]);
});

test("the successor of a killed edge gets every client, with what was told of it", () => {
  const { keeper, accept, edge, edges, says, wait } = setup();
  says(0, { kind: "ready" });
  const [first, second] = [accept(), accept()];
  says(0, { kind: "meta", id: 1, facts: FACTS });
  says(0, { kind: "drop", id: 2 });
  expect([first.destroyed, second.destroyed]).toEqual([false, true]);
  keeper.ended(edge(0), "SIGKILL");
  expect(edges).toHaveLength(1);
  wait(20);
  says(1, { kind: "ready" });
  expect(clientsTold(edge(1))).toEqual([
    { kind: "client", id: 1, origin: ORIGIN, facts: FACTS, carried: undefined, adopted: true },
  ]);
});

test("C2 the successor of a killed edge gets each client's newest state, wherever it was told or carried", () => {
  const { keeper, accept, edge, says, wait } = setup();
  says(0, { kind: "ready" });
  for (let i = 0; i < 4; i++) accept();
  const state = (text: string) => Uint8Array.from(Buffer.from(text));
  const states = (...pairs: [number, string][]) =>
    ({ kind: "states", states: pairs.map(([id, text]) => ({ id, state: state(text) })) }) as const;
  says(0, states([1, "old"], [2, "two"], [4, "x".repeat(4_097)]));
  says(0, states([1, "new"]));
  keeper.replace();
  says(1, { kind: "ready" });
  says(0, { kind: "released", id: 2, carried: { rest: state(""), lines: [], state: state("carried") } });
  says(0, states([2, "too late: it is another edge's"]));
  keeper.ended(edge(0), "SIGKILL");
  keeper.ended(edge(1), "SIGKILL");
  wait(20);
  says(2, { kind: "ready" });
  const told = clientsTold(edge(2)).map(({ id, carried, ...it }) => [id, it.adopted, carried, it.state]);
  expect(told).toEqual([
    [1, true, undefined, state("new")],
    [2, true, undefined, state("carried")],
    [3, true, undefined, undefined],
    [4, true, undefined, undefined], // Beyond the bound: shared state knows it.
  ]);
});

test("edges that die young are started ever more slowly, up to five seconds; one that served is followed at once", () => {
  const { keeper, edges, edge, says, wait } = setup();
  for (let epoch = 0; epoch < 12; epoch++) {
    keeper.ended(edge(epoch), "exit code 1");
    wait(Math.min(20 * 2 ** epoch, 5_000) - 1);
    expect(edges).toHaveLength(epoch + 1);
    wait(1);
    expect(edges).toHaveLength(epoch + 2);
  }
  says(12, { kind: "ready" });
  wait(10_000);
  keeper.ended(edge(12), "SIGKILL");
  wait(20);
  expect(edges).toHaveLength(14);
});

test("a hand-over gives each client with what was carried, only after it was released; one that is cut short says so", () => {
  const { keeper, accept, edge, says, logged } = setup();
  says(0, { kind: "ready" });
  accept();
  accept();
  says(0, { kind: "meta", id: 1, facts: FACTS });
  keeper.replace();
  keeper.replace(); // While one is going on: no third edge.
  says(1, { kind: "ready" });
  expect(edge(0).told.at(-1)).toEqual({ kind: "handover" });
  accept(); // New clients are the new edge's.
  expect(clientsTold(edge(1)).map(({ id }) => id)).toEqual([3]);
  const carried = { rest: Buffer.from("half a l"), lines: [], state: Buffer.from("s") };
  says(0, { kind: "released", id: 1, carried });
  expect(clientsTold(edge(1)).at(-1)).toEqual({
    kind: "client",
    id: 1,
    origin: ORIGIN,
    facts: FACTS,
    carried,
    adopted: true,
  });
  keeper.ended(edge(0), "SIGKILL"); // It died in the middle: the rest is adopted plainly.
  expect(clientsTold(edge(1)).at(-1)).toMatchObject({ id: 2, carried: undefined });
  const told = logged.map(({ event }) => String(event));
  expect(told.filter((event) => event.startsWith("hand-over"))).toEqual([
    expect.stringMatching("^hand-over cut short"),
  ]);
});

test("a hand-over that takes too long ends with the old edge's death, one that fails leaves the old edge in charge", () => {
  const { keeper, accept, edge, says, wait } = setup();
  says(0, { kind: "ready" });
  accept();
  says(0, { kind: "leaving" });
  keeper.ended(edge(1), "exit code 1");
  accept();
  expect(clientsTold(edge(0))).toHaveLength(2);
  keeper.replace();
  says(2, { kind: "ready" });
  wait(1_000);
  expect(edge(0).signals).toEqual(["SIGKILL"]);
});

test("C2 a hand-over to an edge that is not ready within 20 s is called off with the reason: the old one stays, and the next hand-over may be asked for", () => {
  const { keeper, accept, edge, says, wait, logged } = setup();
  says(0, { kind: "ready" });
  accept();
  keeper.replace();
  wait(19_999);
  expect(edge(1).signals).toEqual([]);
  wait(1);
  expect(edge(1).signals).toEqual(["SIGKILL"]);
  keeper.ended(edge(1), "SIGKILL");
  expect(logged.at(-1)).toMatchObject({
    event: "hand-over failed: the new edge ended before it was ready; the old one stays",
    how: expect.stringContaining("not ready within 20 s"),
  });
  expect(clientsTold(edge(0))).toHaveLength(1);
  keeper.replace();
  says(2, { kind: "ready" });
  expect(edge(0).told.at(-1)).toEqual({ kind: "handover" });
});

test("an edge that never gets ready is killed", () => {
  const { edge, wait } = setup();
  wait(60_000);
  expect(edge(0).signals).toEqual(["SIGKILL"]);
});

describe("with an edge that stands by", () => {
  const STANDBY_AFTER_MS = 1_000;
  const withStandby = () => {
    const it = setup(10, true);
    it.says(0, { kind: "ready" });
    it.wait(STANDBY_AFTER_MS);
    expect(it.edges).toHaveLength(2);
    return it;
  };

  test("C2 it gets no client before the serving one is gone, then all of them, in the same tick, and hears that these were all", () => {
    const { keeper, accept, edge, says } = withStandby();
    says(1, { kind: "standby" });
    accept();
    accept();
    expect(edge(1).told).toEqual([]);
    keeper.ended(edge(0), "SIGKILL");
    expect(edge(1).told.map(({ kind }) => kind)).toEqual(["serve", "client", "client", "all", "died"]);
    const { pid, mark } = edge(0);
    expect(edge(1).told.at(-1)).toEqual({ kind: "died", pid, mark }); // Which process it was, not only its number.
  });

  test("it is lent every client ahead, a few at a time, and told who has gone; the clients themselves then need no socket", () => {
    const { keeper, accept, edge, says, wait } = withStandby();
    accept();
    accept();
    says(1, { kind: "standby", keeps: true });
    wait(50);
    says(0, { kind: "drop", id: 1 });
    const [, second, third] = [1, 2, 3];
    accept();
    wait(50);
    expect(edge(1).told).toEqual([
      { kind: "keep", id: 1 },
      { kind: "keep", id: second },
      { kind: "forget", id: 1 },
      { kind: "keep", id: third },
    ]);
    accept(); // Nobody had the time to lend this one.
    keeper.ended(edge(0), "SIGKILL");
    expect(clientsTold(edge(1)).map(({ id, kept }) => [id, kept])).toEqual([
      [second, true],
      [third, true],
      [4, undefined],
    ]);
  });

  test("the serving one dies while it is loading: it takes over as soon as it has loaded, and no other is started", () => {
    const { keeper, accept, edge, edges, says, wait } = withStandby();
    accept();
    keeper.ended(edge(0), "SIGKILL");
    wait(1_000);
    expect(edges).toHaveLength(2);
    says(1, { kind: "standby" });
    expect(clientsTold(edge(1))).toHaveLength(1);
  });

  test("both die: another one is started, as without it", () => {
    const { keeper, accept, edge, edges, says, wait } = withStandby();
    accept();
    keeper.ended(edge(0), "SIGKILL");
    keeper.ended(edge(1), "SIGKILL");
    wait(20);
    expect(edges).toHaveLength(3);
    says(2, { kind: "ready" });
    expect(clientsTold(edge(2))).toHaveLength(1);
  });

  test("a planned hand-over begins when the fresh edge has every socket, or when the old one dies meanwhile", () => {
    for (const dies of [false, true]) {
      const { keeper, accept, edge, says } = withStandby();
      accept();
      keeper.replace();
      says(2, { kind: "ready", keeps: true });
      expect(edge(2).told).toEqual([{ kind: "keep", id: 1 }, { kind: "tell-kept" }]);
      expect(edge(0).told.map(({ kind }) => kind)).not.toContain("handover");
      if (dies) keeper.ended(edge(0), "SIGKILL");
      else {
        says(2, { kind: "kept" });
        expect(edge(0).told.map(({ kind }) => kind)).toContain("handover");
        says(0, { kind: "released", id: 1, carried: { rest: Buffer.alloc(0), lines: [] } });
      }
      expect(clientsTold(edge(2)).map(({ id, kept }) => [id, kept])).toEqual([[1, true]]);
    }
  });

  test("what a predecessor lends goes on to the edge, becomes a client by a word, or is forgotten", () => {
    const { keeper, edge, says } = setup();
    says(0, { kind: "ready", keeps: true });
    const sockets = [new FakeSocket(), new FakeSocket(), new FakeSocket()];
    sockets.forEach((socket, i) => {
      keeper.ahead(i + 1, socket);
    });
    keeper.forget(1);
    const client = { kind: "client", id: 2, origin: ORIGIN, facts: FACTS, adopted: true, kept: true } as const;
    expect(keeper.adopt(undefined, client)).toBe(true);
    expect(keeper.adopt(undefined, { ...client, id: 1 })).toBe(false);
    keeper.forgetAhead();
    expect(edge(0).told.map((message) => [message.kind, "id" in message ? message.id : 0])).toEqual([
      ["serve", 0],
      ["keep", 1],
      ["keep", 2],
      ["keep", 3],
      ["forget", 1],
      ["client", 2],
      ["forget", 3],
    ]);
    expect(clientsTold(edge(0))[0]?.kept).toBe(true);
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true, false, true]);
  });

  test("a planned hand-over goes to a fresh edge: the one that stood by may be of another version", () => {
    const { keeper, edge, edges, says, wait } = withStandby();
    says(1, { kind: "standby" });
    keeper.replace();
    expect(edge(1).signals).toEqual([]); // Until then it would serve if the old one died.
    expect(edges).toHaveLength(3);
    says(2, { kind: "ready" });
    expect(edge(0).told).toEqual([{ kind: "serve" }, { kind: "handover" }]);
    says(0, { kind: "released-all" });
    keeper.ended(edge(0), "exit code 0");
    wait(STANDBY_AFTER_MS);
    expect(edges).toHaveLength(4); // And the next one to stand by is as new.
  });

  test("it dies while it stands by: the next one comes after pauses that double up to five seconds", () => {
    const { keeper, edge, edges, wait } = withStandby();
    for (const [i, ms] of [2_000, 4_000, 5_000, 5_000].entries()) {
      keeper.ended(edge(i + 1), "exit code 1");
      wait(ms - 1);
      expect(edges).toHaveLength(i + 2);
      wait(1);
      expect(edges).toHaveLength(i + 3);
    }
  });

  test("edges that die young get their successors ever more slowly, whoever stood by", () => {
    const { keeper, edge, edges, says, wait } = withStandby();
    let pauseMs = 0;
    for (let epoch = 1; epoch <= 10; epoch++) {
      says(epoch, { kind: "standby" });
      keeper.ended(edge(epoch - 1), "SIGSEGV");
      for (pauseMs = 0; edges.length === epoch + 1; pauseMs += 100) wait(100);
    }
    expect(pauseMs).toBe(5_000);
  });

  test("an edge that knows nothing of standing by serves all the same", () => {
    const { keeper, accept, edge, says } = withStandby();
    accept();
    says(1, { kind: "ready" });
    expect(edge(0).told.map(({ kind }) => kind)).toEqual(["serve", "client"]); // No hand-over.
    keeper.ended(edge(0), "SIGKILL");
    expect(clientsTold(edge(1))).toHaveLength(1);
  });

  test("a stop ends it, too", () => {
    const { keeper, edge, says } = withStandby();
    says(1, { kind: "standby" });
    keeper.stop();
    expect(edge(1).signals).toEqual(["SIGTERM"]);
  });
});

test("clients beyond the bound are closed at once and counted", () => {
  const { keeper, accept } = setup(2);
  const [, , third] = [accept(), accept(), accept()];
  expect([third.destroyed, keeper.size, keeper.refused]).toEqual([true, 2, 1]);
});

test.each([
  ["unix:/run/k.sock", { name: "default", at: { path: "/run/k.sock", mode: 0o600 } }],
  ["plain=unix:/run/k.sock", { name: "plain", at: { path: "/run/k.sock", mode: 0o600 } }],
  ["127.0.0.1:3333", { name: "default", at: { host: "127.0.0.1", port: 3333 } }],
  ["v6=[::1]:3333", { name: "v6", at: { host: "::1", port: 3333 } }],
])("--listen %s is understood", (text, door) => {
  expect(parseDoor(text, 0o600)).toEqual(door);
});

test.each([
  ["unix:relative.sock", /must be absolute/],
  [`unix:/${"x".repeat(107)}`, /has 108 bytes .* may have 107/],
  ["3333", /expected/],
  ["localhost:99999", /expected/],
  ["", /expected/],
])("--listen %s is refused with the reason", (text, reason) => {
  expect(() => parseDoor(text, 0o600)).toThrow(reason);
});

test.each([
  [50_000, 1_048_576, undefined],
  [50_000, 50_128, undefined],
  [50_000, 20_000, 19_872],
  [50_000, 100, 1],
  [50_000, undefined, undefined],
])("U of %d wanted clients, a limit of %s open files allows: %s", (wanted, files, allowed) => {
  expect(fewer(wanted, files)).toBe(allowed);
});

test("a client that did not reach the edge is given again, with what was carried, and closed when it does not arrive then", () => {
  const { keeper, accept, edge, says, wait, logged } = setup();
  says(0, { kind: "ready", confirms: true });
  const [first, second] = [accept(), accept()];
  says(0, { kind: "took", ids: [1] });
  const ask = () => {
    wait(500);
    const asked = edge(0).told.findLast((message) => message.kind === "confirm");
    says(0, { kind: "confirmed", nth: asked?.kind === "confirm" ? asked.nth : 0 });
  };
  ask();
  expect(clientsTold(edge(0)).map(({ id }) => id)).toEqual([1, 2, 2]);
  expect([first.destroyed, second.destroyed]).toEqual([false, false]);
  ask();
  expect([first.destroyed, second.destroyed, keeper.size]).toEqual([false, true, 1]);
  expect(logged.filter(({ event }) => String(event).startsWith("clients did not reach the edge"))).toMatchObject([
    { count: 1, epoch: 0 },
    { count: 1, epoch: 0 },
  ]);
});

test("`released` from an edge that does not have the client any more changes nothing", () => {
  const { keeper, accept, edge, says } = setup();
  says(0, { kind: "ready" });
  accept();
  keeper.replace();
  says(1, { kind: "ready" });
  const released = { kind: "released", id: 1, carried: { rest: new Uint8Array(), lines: [] } } as const;
  says(0, released);
  says(0, { ...released, carried: { rest: Uint8Array.of(1), lines: [] } });
  expect(clientsTold(edge(1)).map(({ carried }) => carried?.rest.length)).toEqual([0]);
});

test("P7 a client accepted during an upgrade has a number that the successor never gives, and an edge an epoch of its own", () => {
  const { keeper, accept, edge, edges, says, wait } = setup();
  says(0, { kind: "ready" });
  accept();
  let given: { firstEpoch: number; firstClient: number } | undefined;
  const successor = { epoch: 1, pid: 99, tell: () => {}, signal: () => {} };
  keeper.upgrade((reserved) => {
    given = reserved;
    return successor;
  });
  accept();
  expect(Math.max(...clientsTold(edge(0)).map(({ id }) => id))).toBe(2);
  expect(given?.firstClient).toBeGreaterThan(1_000_000);
  keeper.ended(successor, "SIGKILL");
  keeper.ended(edge(0), "SIGKILL");
  wait(60_000);
  expect(edges[1]?.epoch).toBeGreaterThan((given?.firstEpoch ?? 0) + 50);
});

test("P7 while a successor has not ended, a second upgrade and a hand-over are refused: its predecessor has nothing left to start one with", () => {
  const { keeper, edge, edges, says, logged } = setup();
  says(0, { kind: "ready" });
  const successor = { epoch: 1, pid: 99, tell: () => {}, signal: () => {} };
  keeper.upgrade(() => successor);
  keeper.heard(successor, { kind: "ready" });
  says(0, { kind: "released-all" });
  keeper.ended(edge(0), "exit code 0"); // Nothing starts and nothing leaves: the successor serves, and is given the doors.
  keeper.upgrade(() => {
    throw new Error("a second successor was forked");
  });
  keeper.replace();
  expect(edges).toHaveLength(1);
  expect(logged.map(({ event }) => event)).toEqual(
    expect.arrayContaining([
      "upgrade asked for while edges change: ignored",
      "hand-over asked for while one is going on: ignored",
    ]),
  );
});

test("a standby edge that stands still is killed after it was dismissed", () => {
  const { keeper, edge, says, wait } = setup(10, true);
  says(0, { kind: "ready" });
  wait(1_000);
  expect(edge(1).signals).toEqual([]);
  keeper.replace(); // The one that still loads is dismissed.
  expect(edge(1).signals).toEqual(["SIGTERM"]);
  wait(2_000);
  expect(edge(1).signals).toEqual(["SIGTERM", "SIGKILL"]);
});

test("an edge that stands by is left alone however long, and a hand-over that is done is not judged by its deadline", () => {
  const { keeper, edge, says, wait, logged } = setup(10, true);
  says(0, { kind: "ready" });
  wait(1_000);
  says(1, { kind: "standby" });
  wait(600_000);
  expect(edge(1).signals).toEqual([]);
  keeper.replace();
  says(2, { kind: "ready" });
  says(0, { kind: "released-all" });
  keeper.ended(edge(0), "exit code 0");
  wait(5_000);
  expect(logged.some(({ event }) => event === "hand-over took too long: the old edge is killed")).toBe(false);
});
