// Found blocks followed through a daemon's chain, as a stand-in tells it.

import { expect, test } from "@jest/globals";
import type { EpochMs, WorkerName } from "../../../lib/contracts/index.js";
import type { Found } from "../../../services/jobmanager/found.js";
import { Follow } from "../../../services/jobmanager/out-follow.js";
import { DaemonRpc } from "../../../services/jobmanager/out-rpc.js";
import { atEnd } from "../../kit/cleanup.js";
import { type Answers, fromTable, startDaemonStandIn } from "../../kit/daemon-stand-in.js";
import { until } from "../../kit/until.js";

const NOT_FOUND = { error: { code: -5, message: "Block not found" } };

const found: Found = {
  hash: "ab".repeat(32),
  height: 10,
  worker: "w.1" as WorkerName,
  foundAt: 1 as EpochMs,
  status: "accepted",
  confirmations: 1,
};

async function setup(answers: Answers) {
  const daemon = await startDaemonStandIn(answers);
  const rpc = new DaemonRpc({ name: "d", url: daemon.url, user: "u", timeoutMs: 2_000 });
  atEnd(() => rpc.close());
  const changes: string[] = [];
  const deeper: number[] = [];
  const follow = new Follow({
    ...{ targets: () => [{ name: "d", rpc }], confirmations: 10, followMs: 10 },
    onChange: ({ status }, reason) => changes.push(reason === undefined ? status : `${status}: ${reason}`),
    onDeeper: ({ confirmations }) => deeper.push(confirmations),
    onDropped: () => {},
  });
  atEnd(() => follow.close());
  follow.add(found);
  return { daemon, changes, deeper };
}

test("confirmations are told as they grow, every third look at most; the last one as a status", async () => {
  let looks = 0;
  const { changes, deeper } = await setup((method) => {
    if (method !== "getblockheader") return NOT_FOUND;
    looks++;
    return { result: { confirmations: Math.min(10, 1 + Math.floor(looks / 5)) } };
  });
  await until("it is confirmed", 10_000, () => changes.length > 0);
  expect(changes).toEqual(["confirmed"]);
  expect(deeper.length).toBeGreaterThan(3);
  expect(deeper.length).toBeLessThanOrEqual(looks / 3);
  expect(deeper).toEqual([...new Set(deeper)].sort((a, b) => a - b));
});

test("a block that no daemon knows is asked about until its height is buried: then it is orphaned, with the reason", async () => {
  let tip = 12;
  const { daemon, changes } = await setup((method, params) =>
    method === "getblockheader" ? NOT_FOUND : fromTable({ getblockcount: tip })(method, params),
  );
  await until("it is asked about", 5_000, () => daemon.asked.filter((it) => it === "getblockcount").length > 3);
  expect(changes).toEqual([]);
  tip = 20;
  await until("it is given up", 5_000, () => changes.length > 0);
  expect(changes).toEqual(["orphaned: no daemon knows it, and its height is buried"]);
  const asked = daemon.asked.length;
  await new Promise((resolve) => setTimeout(resolve, 100)); // Ten looks' time.
  expect(daemon.asked.length).toBeLessThanOrEqual(asked + 1);
});
