import { expect, test } from "@jest/globals";
import { TICK_MS, Watch, type Watched } from "../../services/keeper/watch.js";

interface FakeEdge extends Watched {
  /** Pings on their way to it. */
  readonly pings: (() => void)[];
  readonly signals: string[];
  open: boolean;
}

/** A watch on a clock of its own. */
function setup(silenceMs = 1_000) {
  let nowMs = 0;
  let next: { readonly atMs: number; readonly what: () => void } | undefined;
  const watch = new Watch(silenceMs, {
    later(ms, what) {
      next = { atMs: nowMs + ms, what };
    },
    nowMs: () => nowMs,
    log: () => {},
  });
  /** @param each Said by the edges before each tick. */
  const pass = (ms: number, each = () => {}) => {
    for (const endMs = nowMs + ms; next && next.atMs <= endMs; ) {
      nowMs = next.atMs;
      each();
      next.what();
    }
  };
  const stall = (ms: number) => {
    nowMs += ms;
    next?.what();
  };
  const edge = (epoch: number): FakeEdge => {
    const [pings, signals]: [(() => void)[], string[]] = [[], []];
    return {
      epoch,
      pings,
      signals,
      open: true,
      ping: (sent) => void pings.push(sent),
      signal: (name) => void signals.push(name),
    };
  };
  const answering = (of: FakeEdge) => () => {
    if (of.pings.length > 0) watch.heard(of, { kind: "pong" });
    for (const sent of of.pings.splice(0)) sent();
  };
  return { watch, pass, stall, edge, answering };
}

test("C2 an edge that answered and then says nothing for a second is killed, once; one that answers never is", () => {
  const { watch, pass, edge, answering } = setup();
  const [hangs, lives] = [edge(0), edge(1)];
  for (const each of [hangs, lives]) watch.heard(each, { kind: "ready" });
  pass(10_000, () => {
    answering(hangs)();
    answering(lives)();
  });
  pass(800, answering(lives));
  expect(hangs.signals).toEqual([]);
  pass(200, answering(lives));
  expect(hangs.signals).toEqual(["SIGKILL"]);
  pass(5_000, answering(lives));
  expect([hangs.signals, lives.signals]).toEqual([["SIGKILL"], []]);
  expect(hangs.pings).toHaveLength(1); // They do not pile up before it.
});

test("whatever an edge says is a sign of life; one that knows no ping is left alone, as is everyone when it is switched off", () => {
  const { watch, pass, edge, answering } = setup();
  const [old, busy] = [edge(0), edge(1)];
  for (const each of [old, busy]) watch.heard(each, { kind: "ready" });
  pass(200, answering(busy));
  pass(5_000, () => watch.heard(busy, { kind: "drop" }));
  expect([old.signals, busy.signals]).toEqual([[], []]);
  const off = setup(0);
  const alone = off.edge(0);
  off.watch.heard(alone, { kind: "pong" });
  off.pass(60_000);
  expect([alone.signals, alone.pings]).toEqual([[], []]);
});

test("an edge that has closed its channel is about to end, and takes its time", () => {
  const { watch, pass, edge, answering } = setup();
  const leaves = edge(0);
  watch.heard(leaves, { kind: "ready" });
  pass(500, answering(leaves));
  leaves.open = false;
  pass(10_000);
  expect(leaves.signals).toEqual([]);
});

test("a time in which the keeper itself stood still is held against nobody", () => {
  const { watch, pass, stall, edge, answering } = setup();
  const it = edge(0);
  watch.heard(it, { kind: "ready" });
  pass(1_000, answering(it));
  stall(30_000);
  pass(300);
  expect(it.signals).toEqual([]);
  pass(3_000, answering(it));
  expect(it.signals).toEqual([]);
});

test("each edge that had to be killed lets the next one be silent for twice as long, until the next ones answer again", () => {
  const { watch, pass, edge, answering } = setup();
  const killedAfter = (): number => {
    const it = edge(0);
    watch.heard(it, { kind: "ready" });
    pass(500, answering(it));
    let ms = TICK_MS; // It spoke just before the last tick.
    for (; it.signals.length === 0; ms += TICK_MS) pass(TICK_MS);
    watch.ended(it);
    return ms;
  };
  expect([killedAfter(), killedAfter(), killedAfter()]).toEqual([1_000, 2_000, 4_000]);
  const well = edge(1);
  watch.heard(well, { kind: "ready" });
  pass(4_000, answering(well));
  watch.ended(well);
  expect(killedAfter()).toBe(1_000);
});
