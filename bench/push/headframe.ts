// Headframe's own: a push through nexus, numbered and validated at every subscriber; what was seen comes back as a call.

import { z } from "zod";
import {
  Directory,
  defineContract,
  type Instance,
  memoryDiscovery,
  method,
  noMetrics,
  openNexus,
  openSecret,
  push,
  quiet,
} from "../../lib/wiring/index.js";
import { contendPush, TEXT } from "./contender.js";

const contract = defineContract({
  service: "news",
  methods: {
    seen: method({
      request: z.object({ name: z.string().max(64), n: z.number().int().nonnegative() }),
      reply: z.object({}),
      idempotent: true,
    }),
  },
  pushes: { item: push(z.object({ n: z.number().int().positive(), at: z.number(), text: z.string().max(200) })) },
});

const READY_MS = 5_000;
const directory = new Directory();
const open = () =>
  openNexus({
    ...{ discovery: memoryDiscovery(directory), version: "1", bind: "127.0.0.1", log: quiet, metrics: noMetrics },
    credentials: { cluster: "bench", secret: openSecret() },
  });

contendPush({
  publisher: async (seen) => {
    const hosted = await (await open()).host(contract, {
      seen: ({ name, n }) => {
        seen(name, n);
        return {};
      },
    });
    return { address: hosted.instance, publish: (n, at) => hosted.push("item", { n, at, text: TEXT }) };
  },
  subscriber: async (instance: Instance, name, take) => {
    directory.put(instance);
    const client = (await open()).client(contract);
    await client.ready(READY_MS);
    await new Promise<void>((resolve) => {
      client.subscribe("item", {
        onMessage: ({ n, at, text }) => {
          if (text !== TEXT) throw new Error(`a wrong message: ${text}`);
          take(n, at);
        },
        onJoin: () => resolve(),
      });
    });
    return (n) => void client.call("seen", { name, n });
  },
});
