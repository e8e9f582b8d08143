// local: a call to a service in the same process, through nexus, against a plain asynchronous function.

import { Crew } from "./kit/crew.js";
import { median } from "./kit/load.js";
import { type Benchmark, percent } from "./kit/report.js";

const FLOOR_US = 0.35;

export interface Called {
  readonly n: number;
  readonly nsPerCall: number;
  readonly cpuUs: number;
  readonly rssBytes: number;
}

export const local: Benchmark = async ({ rounds, ms, signal, tell }) => {
  const crew = new Crew();
  try {
    const agent = await crew.start(new URL("./local/agent.js", import.meta.url));
    const found: Record<"nexus" | "plain", Called[]> = { nexus: [], plain: [] };
    await agent.ask("open");
    for (let round = -1; round < rounds; round++) {
      tell(`local: round ${round + 1} of ${rounds}`);
      for (const how of ["nexus", "plain"] as const) {
        signal.throwIfAborted();
        const called = await agent.ask<Called>("call", { how, ms });
        if (round >= 0) found[how].push(called); // The first one warms up.
      }
    }
    const spots = await agent.profile(() => agent.ask("call", { how: "nexus", ms }));
    const us = (how: "nexus" | "plain") => median(found[how].map(({ nsPerCall }) => nsPerCall / 1_000));
    const rows = (["nexus", "plain"] as const).map((how) => ({
      what: how === "plain" ? "plain asynchronous function" : "through nexus",
      n: found[how].reduce((sum, { n }) => sum + n, 0),
      p50: us(how),
      rate: 1e6 / us(how),
      cpuUs: median(found[how].map(({ cpuUs, n }) => cpuUs / n)),
      memoryMb: median(found[how].map(({ rssBytes }) => rssBytes / 2 ** 20)),
      ...{ ratio: us("plain") / us(how), to: "plain" },
    }));
    const profile = spots
      .slice(0, 6)
      .map(({ where, part }) => `${where} ${percent(part)}`)
      .join(", ");
    return {
      ...{ name: "local", title: "A call within the process, through nexus", rows, plots: [], notes: [] },
      floors: [{ what: "one call", sense: "at most", limit: FLOOR_US, found: us("nexus"), unit: "us", profile }],
    };
  } finally {
    await crew.close();
  }
};
