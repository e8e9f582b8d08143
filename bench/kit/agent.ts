// Agent: a process that takes part in a benchmark and does what the run asks it to.
//
//   crew.ts --{id, act, with}--> agent --{id, value | error}--> crew.ts             (Node's IPC channel)
//
// Between two acts it idles, so that contenders who are all alive can be measured in turn.

import { Session } from "node:inspector/promises";

export interface Asked {
  readonly id: number;
  readonly act: string;
  readonly with: unknown;
}

export type Answered =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string };

/** What a process has taken from the machine so far. */
export interface Usage {
  readonly cpuUs: number;
  readonly rssBytes: number;
}

export interface HotSpot {
  /** `begin call-desk.js` */
  readonly where: string;
  /** Of all samples that were not idle. */
  readonly part: number;
}

// biome-ignore lint/suspicious/noConfusingVoidType: an act that tells nothing returns nothing.
export type Act = (given: never) => unknown | void;

const SPOTS_MAX = 12;
const SAMPLE_US = 500;

export function usage(): Usage {
  const { user, system } = process.cpuUsage();
  return { cpuUs: user + system, rssBytes: process.memoryUsage.rss() };
}

/** Answers until the run lets go of it. The acts `usage`, `profile` and `profiled` are everybody's. */
export function beAgent(acts: Readonly<Record<string, Act>>): void {
  const all: Readonly<Record<string, Act>> = { usage, profile, profiled, ...acts };
  process.on("message", async ({ id, act, with: given }: Asked) => {
    try {
      const run = all[act];
      if (!run) throw new Error(`this agent has no act ${act}`);
      tell({ id, value: await run(given as never) });
    } catch (error) {
      tell({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
  process.on("disconnect", () => process.exit(0)); // The run is over, however it ended.
  tell({ id: 0, value: "here" });
}

function tell(answer: Answered): void {
  process.send?.(answer);
}

let session: Session | undefined;

async function profile(): Promise<void> {
  session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval: SAMPLE_US });
  await session.post("Profiler.start");
}

/** Where the time went since `profile`, by function, without what it called. */
async function profiled(): Promise<HotSpot[]> {
  if (!session) return [];
  const { profile: taken } = await session.post("Profiler.stop");
  session.disconnect();
  session = undefined;
  const nodes = new Map(taken.nodes.map((node) => [node.id, node.callFrame]));
  const counts = new Map<string, number>();
  let busy = 0;
  for (const id of taken.samples ?? []) {
    const { functionName = "", url = "" } = nodes.get(id) ?? {};
    if (functionName === "(idle)" || functionName === "(program)" || functionName === "(root)") continue;
    const where = `${functionName || "anonymous"} ${url.split("/").at(-1) ?? ""}`.trim();
    counts.set(where, (counts.get(where) ?? 0) + 1);
    busy += 1;
  }
  const sorted = [...counts].sort(([, a], [, b]) => b - a).slice(0, SPOTS_MAX);
  return sorted.map(([where, count]) => ({ where, part: count / busy }));
}
