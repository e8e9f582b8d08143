// Bans as controllers tell them, against connections that are there.

import { expect, test } from "@jest/globals";
import { type Ban, sourceOf } from "../../../lib/contracts/index.js";
import { noMetrics } from "../../../lib/wiring/index.js";
import { type Connection, Connections, type Crowd } from "../../../services/stratum/connections.js";
import { InDoors } from "../../../services/stratum/in-doors.js";
import { Tally } from "../../../services/stratum/tally.js";
import { until } from "../../kit/until.js";

const ban = (address: string): Ban => ({
  address,
  reason: "garbage",
  until: (Date.now() + 60_000) as Ban["until"],
  step: 1,
});

function setup(addresses: readonly string[]) {
  const connections = new Connections();
  const gone: string[] = [];
  const crowd: Crowd = {
    connections,
    queueBytes: 0,
    guard: (_, __, act) => act(),
    unasked: (connection) => {
      connection.closing = true;
      gone.push(connection.address);
    },
  };
  for (const [handle, address] of addresses.entries()) {
    const session = { phase: "greeting" };
    const connection = { number: 0, edge: "edge", handle, address, source: sourceOf(address), session, closing: false };
    connections.add(connection as unknown as Connection);
  }
  let tell: (ban: Ban) => void = () => {};
  const controllers = {
    subscribe: (_: string, { onMessage }: { onMessage: (ban: Ban) => void }) => {
      tell = onMessage;
      return { close: () => {} };
    },
  };
  const doors = new InDoors(
    controllers as unknown as ConstructorParameters<typeof InDoors>[0],
    crowd,
    new Tally(noMetrics),
  );
  return { doors, gone, connections, tell: (address: string) => tell(ban(address)) };
}

test("the connections of a banned address are let go: an IPv4 one however it is written, an IPv6 one with its /64, a range with all it holds", async () => {
  const addresses = [
    "192.0.2.1",
    "::ffff:192.0.2.1",
    "192.0.2.2",
    "198.51.100.9",
    "2001:db8:1:2::7",
    "2001:db8:1:2:3::8",
    "2001:db8:1:3::7",
  ];
  const { gone, tell } = setup(addresses);
  for (const address of ["192.0.2.1", "2001:db8:1:2::/64", "198.51.100.0/24"]) tell(address);
  await until("all of them are told", 2_000, () => gone.length >= 5);
  expect([...gone].sort()).toEqual([addresses[0], addresses[1], addresses[3], addresses[4], addresses[5]].sort());
});

test("a connection that left is found no more, and its address takes no room", () => {
  const { connections } = setup(["192.0.2.1", "192.0.2.1"]);
  const edge = "edge" as Connection["edge"];
  expect([...connections.from("192.0.2.1")]).toHaveLength(2);
  connections.removeEdge(edge);
  expect([...connections.from("192.0.2.1")]).toEqual([]);
});

test("D1 thousands of bans at once, and thousands of connections to let go, hold up nobody else's work", async () => {
  const there = Array.from({ length: 20_000 }, (_, i) => `10.1.${i >> 8}.${i & 255}`);
  const { gone, tell } = setup(there);
  let longestMs = 0;
  let lastMs = performance.now();
  const watch = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - lastMs);
    lastMs = performance.now();
  }, 1);
  for (let n = 0; n < 10_000; n++) tell(`2001:db8:${n.toString(16)}:1::/64`);
  for (let n = 0; n < 50; n++) tell(`172.16.${n}.0/24`);
  tell("10.1.0.0/16");
  await until("everybody is let go", 30_000, () => gone.length === there.length);
  clearInterval(watch);
  expect(longestMs).toBeLessThan(1_000);
}, 60_000);
