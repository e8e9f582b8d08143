// The dashboard's pure parts: the picture of a house, the rings of its plots, what happened in words.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import type { Instance } from "../../../lib/wiring/index.js";
import { Happenings } from "../../../services/dashboard/happenings.js";
import { Missing } from "../../../services/dashboard/missing.js";
import { HAPPENINGS_KEPT } from "../../../services/dashboard/model.js";
import { draw, type Readings } from "../../../services/dashboard/picture.js";
import { columns, RINGS, type Sample, slotOf } from "../../../services/dashboard/series.js";

const [hour] = RINGS;
const NOW = 1_800_000_000_000;

const sampleAt = (at: number, accepted = 0): Sample => ({
  ...{ at, hashrate1m: 1, hashrate5m: 2, accepted, rejected: 0, connections: 3, workers: 4 },
});

describe("rings", () => {
  test("whatever was sampled when, a ring has its columns, and shows no sample from outside of its span", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: NOW - 10_000_000, max: NOW }), { maxLength: 50 }), (times) => {
        const slots = new Map(times.map((at) => [slotOf(hour, at), sampleAt(at)]));
        expect(slots.size).toBeLessThanOrEqual(hour.slots);
        const { at, connections } = columns(hour, [...slots.values()], NOW);
        expect(at).toHaveLength(hour.slots);
        const shown = connections.filter((value) => value !== null).length;
        const inside = [...slots.values()].filter((it) => it.at >= (at[0] ?? 0)).length;
        expect(shown).toBe(inside);
      }),
    );
  });

  test("counters are shown as what they grew by, a minute; a counter that began anew is a gap, not a fall", () => {
    const samples = [sampleAt(NOW - 20_000, 100), sampleAt(NOW - 10_000, 110), sampleAt(NOW, 5)];
    expect(columns(hour, samples, NOW).accepted.slice(-3)).toEqual([null, 60, null]);
  });
});

const instance = (service: string, id: string, more: Partial<Instance> = {}): Instance => ({
  ...{ service, id: id as Instance["id"], host: "here", pid: 1, endpoint: "tcp://127.0.0.1:1", startedAt: 1 },
  ...{ version: "1", state: "ready", meta: {}, ...more },
});

const nothing: Readings = {
  ...{ now: NOW, host: "here", jobmanagers: [], stratums: [], edges: [], reporters: [], haproxies: [], redis: [] },
  ...{ processes: undefined, missing: [], expected: new Map() },
};

describe("the picture", () => {
  test("who does not answer is in trouble, who leaves or stands by is not, and only who serves can be drained", () => {
    const view = draw({
      ...nothing,
      stratums: [
        { instance: instance("stratum", "stratum-a"), error: "no reply" },
        { instance: instance("stratum", "stratum-b", { state: "draining" }) },
        { instance: instance("stratum", "stratum-c"), status: { connections: 2, counters: {} } },
      ],
      edges: [{ instance: instance("edge", "edge-b", { state: "starting" }) }],
    });
    const of = (id: string) => view.nodes.find((it) => it.id === id);
    expect(of("stratum-a")).toMatchObject({ health: "bad", note: "no reply" });
    expect(of("stratum-b")).toMatchObject({ health: "warn", state: "draining" });
    expect(of("stratum-b")).not.toHaveProperty("drain");
    expect(of("stratum-c")).toMatchObject({ health: "good", load: "2 clients", drain: "stratum-c" });
    expect(of("edge-b")).toMatchObject({ health: "good", state: "stands by" });
    expect(view.swappable).toEqual([]);
  });

  test("a daemon that one jobmanager cannot reach stands in between; one that none can reach is in trouble", () => {
    const seen = (near: "live" | "down", far: "live" | "down") => ({
      daemons: [
        { name: "near", url: "x", state: near },
        { name: "far", url: "x", state: far },
      ],
    });
    const { nodes, links } = draw({
      ...nothing,
      jobmanagers: [
        { instance: instance("jobmanager", "jobmanager-a"), status: seen("live", "down") },
        { instance: instance("jobmanager", "jobmanager-b"), status: seen("down", "down") },
      ],
    });
    expect(nodes.find(({ name }) => name === "near")?.health).toBe("warn");
    expect(nodes.find(({ name }) => name === "far")?.health).toBe("bad");
    expect(links).toContainEqual({ from: "jobmanager-a", to: "daemon:near", health: "good" });
    expect(links).toContainEqual({ from: "jobmanager-b", to: "daemon:near", health: "bad" });
  });
});

describe("what should be there", () => {
  const process = (watcher: string, pid: number, startedAt = NOW - 60_000) => ({ watcher, pid, startedAt });
  const bad = (readings: Partial<Readings>) =>
    draw({ ...nothing, ...readings })
      .nodes.filter(({ health }) => health === "bad")
      .map(({ kind, state }) => `${kind} ${state}`);

  test.each(["jobmanager", "stratum", "reporter", "haproxy", "keeper"])(
    "a %s that its manager is meant to run and does not is drawn in red",
    (watcher) => {
      expect(
        bad({
          processes: [],
          expected: new Map([[watcher, 2]]),
          edges: [
            {
              instance: instance("edge", "edge-a"),
              status: { connections: 0, unacknowledgedLines: 0, epoch: 1, backends: [] } as never,
            },
          ],
        }),
      ).toEqual([`${watcher} missing`, `${watcher} missing`]);
    },
  );

  test("a watcher that the operator stopped is drawn as stopped; an instance that is listed again is not drawn as missing as well", () => {
    const { nodes } = draw({ ...nothing, processes: [], expected: new Map([["keeper", 0]]) });
    expect(nodes.find(({ kind }) => kind === "keeper")).toMatchObject({ health: "warn", state: "stopped" });
    const stratums = [{ instance: instance("stratum", "stratum-a"), status: { connections: 0, counters: {} } }];
    const missing = [{ instance: instance("stratum", "stratum-a"), sinceMs: NOW }];
    expect(draw({ ...nothing, stratums, missing }).nodes.filter(({ kind }) => kind === "stratum")).toHaveLength(1);
  });

  test("a process that runs and that discovery does not list is drawn: while it may start as starting, then in red", () => {
    const expected = new Map([["stratum", 1]]);
    expect(bad({ processes: [process("stratum", 7)], expected })).toEqual(["stratum silent"]);
    const { nodes } = draw({ ...nothing, processes: [process("stratum", 7, NOW - 1_000)], expected });
    expect(nodes.find(({ kind }) => kind === "stratum")).toMatchObject({ health: "warn", state: "starting" });
    const listed = { instance: instance("stratum", "stratum-a", { pid: 7 }), status: { connections: 0, counters: {} } };
    expect(bad({ processes: [process("stratum", 7)], expected, stratums: [listed] })).toEqual([]);
  });

  test("a keeper without an edge that is ready is said in red, whatever stands by", () => {
    const standby = { instance: instance("edge", "edge-b", { state: "starting" }) };
    const readings = { processes: [process("keeper", 3)], expected: new Map([["keeper", 1]]), edges: [standby] };
    expect(bad(readings)).toEqual(["edge missing"]);
  });

  test("an HAProxy whose controller is away is drawn all the same", () => {
    const { nodes } = draw({ ...nothing, processes: [process("haproxy", 5)], expected: new Map([["haproxy", 1]]) });
    expect(nodes.find(({ kind }) => kind === "haproxy")).toMatchObject({ health: "warn", state: "running", pid: 5 });
  });

  test("an instance that vanished stays in red until it is back or replaced, for a day at most, and 64 at most", () => {
    let now = NOW;
    const missing = new Missing(() => now);
    const gone = instance("reporter", "reporter-a");
    missing.add(gone);
    expect(bad({ missing: missing.list() })).toEqual(["reporter missing"]);
    missing.joined(instance("stratum", "stratum-a"));
    missing.joined(instance("reporter", "reporter-b", { host: "elsewhere" }));
    expect(missing.list()).toHaveLength(1);
    missing.joined(instance("reporter", "reporter-c"));
    expect(missing.list()).toEqual([]);
    missing.add(gone);
    missing.joined(gone);
    expect(missing.list()).toEqual([]);
    for (let i = 0; i < 70; i++) missing.add(instance("edge", `edge-${i}`));
    expect(missing.list()).toHaveLength(64);
    now += 24 * 3_600_000 + 1;
    expect(missing.list()).toEqual([]);
  });
});

test("only the newest happenings are kept, numbered on; a process' death is told with its reason", () => {
  const told: string[] = [];
  const happenings = new Happenings(({ text }) => told.push(text));
  for (let i = 0; i < HAPPENINGS_KEPT + 5; i++) happenings.add("job", "plain", `${i}`);
  expect(happenings.kept).toHaveLength(HAPPENINGS_KEPT);
  expect(happenings.kept[0]?.id).toBe(6);
  happenings.process({ watcher: "stratum", what: "reap", pid: 7, exitCode: -9 });
  happenings.process({ watcher: "stratum", what: "updated" });
  expect(told.at(-1)).toBe("stratum (pid 7) ended by signal 9");
});
