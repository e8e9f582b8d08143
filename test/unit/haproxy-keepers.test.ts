import { expect, test } from "@jest/globals";
import { Keepers, type KeepersOptions, keeperAddress } from "../../haproxy/keepers.js";
import type { Instance } from "../../lib/wiring/index.js";

const edge = (keeper: string, host = "here", endpoint = "tcp://10.0.0.5:4000"): Instance => ({
  ...{ service: "edge", id: `edge-${keeper.length}` as Instance["id"], pid: 1, startedAt: 1, version: "1" },
  ...{ state: "ready", host, endpoint, meta: keeper === "" ? {} : { keeper } },
});

function open(options: Partial<KeepersOptions> = {}) {
  const world = { nowMs: 0, accepting: new Set<string>() };
  const text = (at: object) => ("path" in at ? `unix:${at.path}` : JSON.stringify(at));
  const keepers = new Keepers({
    ...{ host: "here", fixed: [], remembered: [], goneMs: 1_000, nowMs: () => world.nowMs },
    accepts: async (at) => world.accepting.has(text(at)),
    ...options,
  });
  return { keepers, world };
}

test("a keeper is taken off when no edge names it and it does not listen, not before both", async () => {
  const { keepers, world } = open();
  world.accepting.add("unix:/a").add("unix:/b");
  keepers.listed([edge("unix:/a"), edge("unix:/b")]);
  expect(keepers.places).toEqual(["unix:/a", "unix:/b"]);
  keepers.listed([edge("unix:/b")]); // Its edge was killed; the next one is about to come.
  world.nowMs = 5_000;
  expect(await keepers.look()).toEqual([]);
  world.accepting.delete("unix:/a");
  expect(await keepers.look()).toEqual([keeperAddress("unix:/a")?.name]);
  expect(keepers.places).toEqual(["unix:/b"]);
});

test("an edge that comes back in time keeps its keeper on", async () => {
  const { keepers, world } = open();
  keepers.listed([edge("unix:/a"), edge("unix:/b")]);
  keepers.listed([edge("unix:/b")]);
  world.nowMs = 900;
  expect(await keepers.look()).toEqual([]);
  keepers.listed([edge("unix:/a"), edge("unix:/b")]);
  world.nowMs = 5_000;
  expect(await keepers.look()).toEqual([]);
});

test("the last keeper stays, whatever happens, and so do those that the configuration names", async () => {
  const { keepers, world } = open({ fixed: ["unix:/fixed"] });
  keepers.listed([edge("unix:/a")]);
  keepers.listed([]);
  world.nowMs = 5_000;
  expect(await keepers.look()).toEqual([keeperAddress("unix:/a")?.name]);
  const { keepers: single, world: later } = open({ remembered: ["unix:/only"] });
  later.nowMs = 5_000;
  expect(await single.look()).toEqual([]);
});

test("a unix socket counts on its own host only; from elsewhere the TCP door is used, never a loopback one", () => {
  const { keepers } = open();
  keepers.listed([
    edge("unix:/a 10.0.0.4:3000"),
    edge("unix:/b 10.0.0.6:3000", "there"),
    edge("127.0.0.1:3000", "there"),
    edge("0.0.0.0:3000", "there", "tcp://10.0.0.7:4000"),
    edge("[::]:3001", "there", "tcp://[2001:db8::1]:4000"),
    edge("nonsense", "there"),
    edge(""),
  ]);
  expect(keepers.places).toEqual(["10.0.0.6:3000", "10.0.0.7:3000", "[2001:db8::1]:3001", "unix:/a"]);
});

test("the same place always has the same name, so that HAProxy keeps its weight and its sessions", () => {
  expect(keeperAddress("unix:/a")).toEqual(keeperAddress("unix:/a"));
  expect(keeperAddress("unix:/a")?.name).not.toBe(keeperAddress("unix:/b")?.name);
  expect(keeperAddress("[::1]:9")?.at).toEqual({ host: "::1", port: 9 });
  for (const place of ["relative/path", "unix:/a\nglobal", "unix:/a;b", "host", ""])
    expect(keeperAddress(place)).toBeUndefined();
});
