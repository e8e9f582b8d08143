// The edges of one keeper: whatever happens to them, in whatever order, somebody serves who can.

import { EventEmitter } from "node:events";
import { describe, expect, test } from "@jest/globals";
import type { EdgeSays, KeeperSays } from "../../lib/contracts/index.js";
import { Keeper } from "../../services/keeper/keeper.js";
import type { EdgePort } from "../../services/keeper/ports.js";
import { RESERVE, type Reserve, STARTING, type Starting, SUCCESSION } from "../../services/keeper/succession.js";

const ORIGIN = { door: "default", address: "unix", port: 0 };

class FakeSocket extends EventEmitter {
  destroyed = false;
  destroy(): void {
    this.destroyed = true;
  }
}

/** An edge as the keeper left it: what it was told, and whom it has. */
class FakeEdge implements EdgePort<FakeSocket> {
  readonly pid: number;
  alive = true;
  asked = false;
  ready = false;
  /** It serves: it was forked to, or told to. */
  handsOver = false;
  readonly clients = new Set<number>();
  readonly signals: string[] = [];

  constructor(
    readonly epoch: number,
    readonly standby: boolean,
    readonly heir = false,
  ) {
    this.pid = 1_000 + epoch;
  }

  tell(message: KeeperSays): void {
    if (message.kind === "client") this.clients.add(message.id);
    if (message.kind === "forget") this.clients.delete(message.id);
    if (message.kind === "handover") this.handsOver = true;
    if (message.kind === "tell-kept") this.asked = true;
  }

  signal(name: string): void {
    this.signals.push(name);
  }
}

class World {
  readonly edges: FakeEdge[] = [];
  readonly timers: { atMs: number; readonly what: () => void }[] = [];
  readonly log: string[] = [];
  nowMs = 0;
  readonly keeper: Keeper<FakeSocket>;

  constructor(readonly keeps = true) {
    this.keeper = new Keeper<FakeSocket>(
      {
        fork: (epoch, standby) => this.#add(new FakeEdge(epoch, standby)),
        later: (ms, what) => {
          const timer = { atMs: this.nowMs + ms, what };
          this.timers.push(timer);
          return () => {
            const at = this.timers.indexOf(timer);
            if (at >= 0) this.timers.splice(at, 1);
          };
        },
        nowMs: () => this.nowMs,
        log: (event) => void this.log.push(event),
      },
      { clientsMax: 10, handoverMs: 1_000, standby: true },
    );
    this.keeper.start();
    this.keeper.accept(new FakeSocket(), ORIGIN);
  }

  #add(edge: FakeEdge): FakeEdge {
    this.edges.push(edge);
    return edge;
  }

  wait(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const next = this.timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (!next) break;
      this.nowMs = Math.max(this.nowMs, next.atMs);
      this.timers.splice(this.timers.indexOf(next), 1);
      next.what();
      this.#obey();
    }
    this.nowMs = untilMs;
  }

  /** Processes that were signalled end. */
  #obey(): void {
    for (const edge of this.edges) if (edge.alive && edge.signals.length > 0) this.end(edge);
  }

  says(edge: FakeEdge, message: EdgeSays): void {
    this.keeper.heard(edge, message);
    this.#obey();
  }

  getsReady(edge: FakeEdge, reaches = true): void {
    edge.ready = true;
    this.says(edge, { kind: edge.standby ? "standby" : "ready", keeps: this.keeps, reaches });
  }

  end(edge: FakeEdge, how = "SIGKILL"): void {
    edge.alive = false;
    this.keeper.ended(edge, how);
    this.#obey();
  }

  upgrade(): void {
    this.keeper.upgrade(({ epoch }) => this.#add(new FakeEdge(epoch, false, true)));
  }

  living(which: (edge: FakeEdge) => boolean = () => true): FakeEdge[] {
    return this.edges.filter((edge) => edge.alive && which(edge));
  }

  /** Who has the client, and may have it. */
  holders(): FakeEdge[] {
    return this.living(({ clients }) => clients.has(1));
  }
}

const first = (edges: readonly FakeEdge[]): FakeEdge => {
  const [edge] = edges;
  if (!edge) throw new Error("there is no such edge");
  return edge;
};

/** A serving edge, and beside it one that is being started, and one in reserve, each as far as asked for. */
function arrange(starting: Starting, reserve: Reserve): World {
  const world = new World();
  world.getsReady(first(world.living()));
  world.wait(20_000); // It did not die young.
  const spare = first(world.living(({ standby }) => standby));
  if (reserve === "standing") world.getsReady(spare);
  if (starting !== "none") {
    world.keeper.replace();
    const fresh = first(world.living(({ standby, ready }) => !standby && !ready));
    if (starting === "blind") world.getsReady(fresh, false);
    if (starting === "ready") world.getsReady(fresh);
  }
  if (reserve === "none" && spare.alive) world.end(spare);
  return world;
}

describe("C2 the serving edge dies, and who serves next is what the table says", () => {
  const cells = STARTING.flatMap((starting) => RESERVE.map((reserve) => [starting, reserve] as const));
  // One that loads to stand by is dismissed when another one is started.
  const possible = cells.filter(([starting, reserve]) => starting === "none" || reserve !== "loading");
  test.each(possible)("one being started: %s, one in reserve: %s", (starting, reserve) => {
    const world = arrange(starting, reserve);
    const serving = first(world.holders());
    const fresh = world.living(({ standby }) => !standby).find((edge) => edge !== serving);
    const spare = world.living(({ standby }) => standby)[0];
    world.end(serving);
    const forked = world.edges.length;
    const decision = SUCCESSION[starting][reserve];
    const expected = { promote: spare, "take-over": fresh, wait: undefined, start: undefined }[decision];
    expect(world.holders()).toEqual(expected ? [expected] : []);
    world.wait(100);
    expect(world.edges.length > forked).toBe(decision === "start");
    for (const edge of world.living(({ ready }) => !ready)) world.getsReady(edge);
    expect(world.holders().length).toBeGreaterThan(0);
  });
});

test("an edge that reaches no backend does not take the place of one that does; it may once it reaches one, or the old one does not", () => {
  for (const free of ["fresh", "old"] as const) {
    const world = arrange("blind", "standing");
    const old = first(world.holders());
    const fresh = first(world.living(({ standby, epoch }) => !standby && epoch !== old.epoch));
    expect(old.handsOver).toBe(false);
    world.says(free === "fresh" ? fresh : old, { kind: "reach", reaches: free === "fresh" });
    world.says(fresh, { kind: "kept" });
    expect(old.handsOver).toBe(true);
  }
});

test("an edge that goes on reaching no backend is called off with the reason: the old one serves, and the one that stands by still does", () => {
  const world = arrange("blind", "standing");
  const old = first(world.holders());
  world.wait(25_000);
  expect(world.holders()).toEqual([old]);
  expect(world.log).toContain("a new edge is ready and reaches no backend, as the old one does: the old one serves on");
  expect(world.log).toContain("hand-over failed: the new edge ended before it was ready; the old one stays");
  const spare = first(world.living(({ standby, ready }) => standby && ready));
  world.end(old);
  expect(world.holders()).toEqual([spare]);
});

type Happening =
  | "ready"
  | "standby"
  | "kept"
  | "serving dies"
  | "leaving dies"
  | "starting dies"
  | "reserve dies"
  | "hup"
  | "usr2"
  | "time"
  | "released";
const HAPPENINGS: readonly Happening[] = [
  "ready",
  "standby",
  "kept",
  "serving dies",
  "leaving dies",
  "starting dies",
  "reserve dies",
  "hup",
  "usr2",
  "time",
  "released",
];

function happen(world: World, what: Happening): void {
  const fresh = world.living(({ standby, ready }) => !standby && !ready)[0];
  const spare = world.living(({ standby, clients }) => standby && clients.size === 0)[0];
  const leaving = world.living(({ handsOver }) => handsOver)[0];
  const serving = world.living(({ handsOver, clients }) => !handsOver && clients.size > 0)[0];
  if (what === "ready" && fresh) world.getsReady(fresh);
  if (what === "standby" && spare && !spare.ready) world.getsReady(spare);
  if (what === "kept") for (const edge of world.living(({ asked }) => asked)) world.says(edge, { kind: "kept" });
  if (what === "serving dies" && serving) world.end(serving);
  if (what === "leaving dies" && leaving) world.end(leaving);
  if (what === "starting dies" && fresh) world.end(fresh);
  if (what === "reserve dies" && spare) world.end(spare);
  if (what === "hup") world.keeper.replace();
  if (what === "usr2") world.upgrade();
  if (what === "time") world.wait(1_500);
  if (what === "released" && leaving) {
    for (const id of [...leaving.clients]) {
      leaving.clients.delete(id);
      world.says(leaving, { kind: "released", id, carried: { rest: new Uint8Array(), lines: [] } });
    }
    world.says(leaving, { kind: "released-all" });
    world.end(leaving, "exit code 0");
  }
}

/** Everything that is loading gets ready, and time passes. */
function comeToRest(world: World): void {
  for (let round = 0; round < 12; round++) {
    for (const edge of world.living(({ ready }) => !ready)) world.getsReady(edge);
    happen(world, "kept");
    happen(world, "released");
    world.wait(3_000);
  }
}

test("C2 whatever happens to edges, in any order: the client is with one edge at most, at once where one can serve, and in the end with one", () => {
  const walk = (path: readonly Happening[]): void => {
    const world = new World();
    world.getsReady(first(world.living()));
    for (const what of path) {
      happen(world, what);
      const holders = world.holders();
      expect([path, holders.length <= 1]).toEqual([path, true]);
      const able = world.living(({ ready, handsOver }) => ready && !handsOver);
      if (able.length > 0) expect([path, holders.length]).toEqual([path, 1]);
    }
    comeToRest(world);
    const leaving = world.living(({ handsOver }) => handsOver);
    expect([path, world.holders().length, leaving.length]).toEqual([path, 1, 0]);
    const spare = world.living(({ standby, ready, clients }) => standby && ready && clients.size === 0);
    if (!path.includes("usr2")) expect([path, spare.length]).toEqual([path, 1]);
  };
  const extend = (path: readonly Happening[], depth: number): void => {
    walk(path);
    if (depth > 0) for (const what of HAPPENINGS) extend([...path, what], depth - 1);
  };
  extend(["time", "standby"], 3);
  extend(["time", "standby", "hup", "ready", "kept"], 3);
}, 60_000);
