// killing: ends a process of a pool as a fault would, and waits until its successor serves.

import { setTimeout as delay } from "node:timers/promises";
import { edge, jobmanager, reporter, stratum } from "../../lib/contracts/index.js";
import { atEnd } from "./cleanup.js";
import type { TestPool } from "./pool.js";
import { until } from "./until.js";

const CONTRACTS = { stratum, jobmanager, reporter, edge } as const;
export type Victim = "stratum" | "jobmanager" | "reporter";

/** A process' start on a loaded machine. */
const REPLACED_MS = 30_000;

/** Process ids of the ready instances, oldest first, as every caller sees them. */
export async function ready(pool: TestPool, service: keyof typeof CONTRACTS): Promise<number[]> {
  const client = pool.house.nexus.client(CONTRACTS[service]);
  try {
    await client.ready(5_000);
    return client.instances().flatMap(({ state, pid }) => (state === "ready" ? [pid] : []));
  } finally {
    await client.close();
  }
}

/** Resolves when every process of the watcher serves, and `without` is none of them. */
export async function allServe(pool: TestPool, watcher: Victim, without?: number): Promise<void> {
  // One client for the whole wait: its links take their time to come up, each at its own moment.
  const client = pool.house.nexus.client(CONTRACTS[watcher]);
  const look = () => ({
    pids: pool.pids(watcher),
    serving: client.instances().flatMap(({ state, pid }) => (state === "ready" ? [pid] : [])),
  });
  try {
    await until(`all of ${watcher} serve`, REPLACED_MS, () => {
      const { pids, serving } = look();
      return pids.length >= 2 && !pids.includes(without ?? 0) && pids.every((pid) => serving.includes(pid));
    });
  } catch (error) {
    throw new Error(`${String(error)}: ${JSON.stringify({ ...look(), without, known: client.instances() })}`);
  } finally {
    await client.close();
  }
}

/** Signals the oldest one; resolves when the manager has replaced it. */
export async function kill(pool: TestPool, watcher: Victim, signal: NodeJS.Signals): Promise<void> {
  const [victim] = pool.pids(watcher);
  if (victim === undefined) throw new Error(`no ${watcher} runs`);
  process.kill(victim, signal);
  await allServe(pool, watcher, victim);
}

/** Stops the oldest one for so long, as a process does that swaps or collects garbage; it goes on where it was. */
export async function freeze(pool: TestPool, watcher: Victim, ms: number): Promise<void> {
  const [victim] = pool.pids(watcher);
  if (victim === undefined) throw new Error(`no ${watcher} runs`);
  process.kill(victim, "SIGSTOP");
  atEnd(() => quietly(() => process.kill(victim, "SIGCONT"))); // Else nobody could end it.
  await delay(ms);
  process.kill(victim, "SIGCONT");
}

/** Ends the serving edge at once; resolves when another one serves. */
export async function killEdge(pool: TestPool): Promise<void> {
  const [victim] = await ready(pool, "edge");
  if (victim === undefined) throw new Error("no edge serves");
  process.kill(victim, "SIGKILL");
  await until("another edge serves", REPLACED_MS, async () => {
    const serving = await ready(pool, "edge");
    return serving.length > 0 && !serving.includes(victim);
  });
}

/** Resolves when an edge stands by. */
export async function standsBy(pool: TestPool): Promise<void> {
  const client = pool.house.nexus.client(edge);
  await until("an edge stands by", REPLACED_MS, () => client.instances().some(({ state }) => state === "starting"));
  await client.close();
}

function quietly(act: () => unknown): void {
  try {
    act();
  } catch {
    // It has ended.
  }
}
