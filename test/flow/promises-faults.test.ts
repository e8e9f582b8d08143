// C1, C2, C3, S1 under the faults that need more than a signal: one pool, clients that check everything they see, one fault at a time.
//
//   the breaking machine's stage, crowd and ledger (chaos/) -> one fault a test -> nothing is broken; in the end the share log
//
// What a machine cannot do (a second host, a disk of its own: only root makes them) must be said by name.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, test } from "@jest/globals";
import { until } from "../../chaos/acts/index.js";
import { Crowd } from "../../chaos/crowd.js";
import { quiet, readLog } from "../../chaos/ending.js";
import { carryOut } from "../../chaos/faults.js";
import { kindOf } from "../../chaos/kinds.js";
import { Ledger } from "../../chaos/ledger.js";
import { Stage } from "../../chaos/stage.js";
import { atEnd } from "../kit/cleanup.js";

const TEST_MS = 90_000;
const CLIENTS = 40;
/** Tests share their machine: the seconds of C1 and C2 are measured by long runs on an idle one. */
const PATIENCE = 6;
const MINING_MS = 30_000;
/** Kinds that only root can do. */
const ROOTS = ["cut-network", "slow-network", "disk-full"];

const ledger = new Ledger(PATIENCE);
const { signal } = new AbortController();
let stage: Stage;
let crowd: Crowd;

beforeAll(async () => {
  const root = await mkdtemp(join(tmpdir(), "hf-faults-"));
  atEnd(() => rm(root, { recursive: true, force: true }), "file");
  stage = await Stage.open({ clients: CLIENTS, shares: 100_000, root, wide: true, signal, onTold: () => {} });
  atEnd(() => stage.close(), "file");
  crowd = Crowd.open({ port: stage.port, clients: CLIENTS, everyMs: 500, see: (seen) => ledger.see(seen) });
  atEnd(() => crowd.close(), "file");
  await until("everybody mines", signal, () => crowd.mining === CLIENTS, MINING_MS);
}, TEST_MS);

/** Everybody is answered again, `times` shares each. */
async function goesOn(times: number): Promise<void> {
  const before = ledger.counts.accepted;
  await until("shares are answered", signal, () => ledger.counts.accepted >= before + times * CLIENTS, MINING_MS);
}

test.each([
  ["C2 the edge that stands by is killed: nobody notices", "kill-standby", 0],
  ["C2 both edges are killed at once: nobody is disconnected", "kill-edges", 0],
  [
    "C2 the serving edge stands still and goes on: nobody is disconnected, no share is lost or doubled",
    "freeze-edge",
    600,
  ],
  ["C2 the serving edge stands still for good: another one has its clients within two seconds", "freeze-edge", 5_000],
  ["C2 the keeper is upgraded with a whole pool behind it: no line is lost", "swap-keeper", 0],
  ["C3 HAProxy's controller is killed: nobody notices, and the next one takes over", "kill-controller", 0],
  ["C3, S1 the network to Redis is cut: shares are answered all the while", "cut-redis", 3_000],
  ["C1 a reporter is drained and another one is in its place before", "drain-reporter", 0],
  [
    "S1 Redis away and the spool's disk full: nobody is told `true` of a share that is kept nowhere, and nobody is let go",
    "disk-full",
    2_500,
  ],
  [
    "C1 the host of one of two stratum, jobmanagers and reporters is cut off, silently, and comes back",
    "cut-network",
    4_000,
  ],
  ["C1 the link to that host is too narrow: what it says comes late", "slow-network", 2_500],
] as const)(
  "%s",
  async (_, name, forMs) => {
    const kind = kindOf(name);
    if (!kind) throw new Error(`no kind ${name}`);
    const fault = { number: 1, kind, atMs: 0, target: 0, forMs };
    const { done, leftOut } = await carryOut([fault], {
      stage,
      ledger,
      signal,
      tell: () => {},
      lastMs: Number.POSITIVE_INFINITY,
    });
    if (process.getuid?.() !== 0 && ROOTS.includes(name)) {
      expect(leftOut).toEqual([{ kind: name, why: expect.stringContaining("only root") }]);
      return;
    }
    expect([[...done], leftOut]).toEqual([[[name, 1]], []]);
    await goesOn(2);
    expect(ledger.broken).toEqual([]);
    expect(ledger.counts.disconnected).toBe(0);
  },
  TEST_MS,
);

test(
  "S1 after all of it each share that was answered `true` stands in the log exactly once",
  async () => {
    await quiet(stage, crowd, ledger, signal);
    ledger.settle(await readLog(stage, ledger, signal));
    expect(ledger.broken).toEqual([]);
    expect(ledger.counts).toMatchObject({ disconnected: 0, lost: 0, double: 0, refused: 0, strange: 0 });
    expect(ledger.counts.accepted).toBeGreaterThan(CLIENTS);
  },
  TEST_MS,
);
