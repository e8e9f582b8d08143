// The process of the local benchmark: caller and service in one.

import { z } from "zod";
import {
  type Client,
  defineContract,
  memoryDiscovery,
  method,
  noMetrics,
  openNexus,
  openSecret,
  quiet,
} from "../../lib/wiring/index.js";
import { beAgent, usage } from "../kit/agent.js";
import type { Called } from "../local.js";

const message = z.object({ text: z.string() });
const contract = defineContract({
  service: "echo",
  methods: { echo: method({ request: message, reply: message, idempotent: true }) },
  pushes: {},
});

/** Calls between two looks at the clock. */
const BURST = 4_096;

let client: Client<typeof contract> | undefined;
const request = { text: "headframe" };
const plain = async (it: { text: string }) => ({ text: it.text });

beAgent({
  open: async () => {
    const nexus = await openNexus({
      ...{ discovery: memoryDiscovery(), version: "1", bind: "127.0.0.1", log: quiet, metrics: noMetrics },
      credentials: { cluster: "bench", secret: openSecret() },
    });
    await nexus.host(contract, { echo: ({ text }) => ({ text }) });
    client = nexus.client(contract);
  },
  call: async ({ how, ms }: { how: "nexus" | "plain"; ms: number }): Promise<Called> => {
    const nexus = client;
    if (!nexus) throw new Error("open first");
    return how === "nexus" ? repeat(ms, () => nexus.call("echo", request)) : repeat(ms, () => plain(request));
  },
});

async function repeat(ms: number, call: () => Promise<{ text: string }>): Promise<Called> {
  const before = usage();
  const startMs = performance.now();
  let n = 0;
  let nowMs = startMs;
  for (; nowMs < startMs + ms; nowMs = performance.now()) {
    for (let i = 0; i < BURST; i++) if ((await call()).text !== request.text) throw new Error("a wrong answer");
    n += BURST;
    await new Promise((resolve) => setImmediate(resolve)); // Timers and channels get their turn.
  }
  const { cpuUs, rssBytes } = usage();
  return { n, nsPerCall: (1e6 * (nowMs - startMs)) / n, cpuUs: cpuUs - before.cpuUs, rssBytes };
}
