// Headframe's own: a typed call through nexus, validated at both doors, with its deadline, retries and errors on.

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
  quiet,
} from "../../lib/wiring/index.js";
import { contend, mustEqual, TEXT } from "./contender.js";

const message = z.object({ text: z.string().max(200) });
const contract = defineContract({
  service: "echo",
  methods: { echo: method({ request: message, reply: message, idempotent: true }) },
  pushes: {},
});

const READY_MS = 5_000;
const directory = new Directory();
const open = () =>
  openNexus({
    ...{ discovery: memoryDiscovery(directory), version: "1", bind: "127.0.0.1", log: quiet, metrics: noMetrics },
    credentials: { cluster: "bench", secret: openSecret() },
  });

contend({
  serve: async () => (await (await open()).host(contract, { echo: ({ text }) => ({ text }) })).instance,
  connect: async (instance: Instance) => {
    directory.put(instance);
    const client = (await open()).client(contract);
    await client.ready(READY_MS);
    const request = { text: TEXT };
    return (done) => {
      void client.call("echo", request).then(({ text }) => {
        mustEqual(text);
        done();
      });
    };
  },
});
