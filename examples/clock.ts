// A service of one's own, complete: a clock that can be asked and that ticks for whoever subscribed.
//
//   node dist/examples/clock.js        with a Redis at 127.0.0.1:6379, or HEADFRAME__REDIS__URL

import { defineContract, houseSettings, method, openHouse, push } from "headframe/wiring";
import { z } from "zod";

const clock = defineContract({
  service: "clock",
  methods: { time: method({ request: z.object({}), reply: z.object({ ms: z.number() }), idempotent: true }) },
  pushes: { tick: push(z.object({ ms: z.number() })) },
});

const url = process.env.HEADFRAME__REDIS__URL ?? "redis://127.0.0.1:6379";
const house = await openHouse(houseSettings.parse({ cluster: "example", redis: { url } }));

// Offer it.
const hosted = await house.nexus.host(clock, { time: () => ({ ms: Date.now() }) });
const ticking = setInterval(() => hosted.push("tick", { ms: Date.now() }), 1_000);

// Use it: in this process a direct call, in any other one over ZeroMQ, by the same lines.
const client = house.nexus.client(clock);
client.subscribe("tick", { onMessage: ({ ms }, { instance }) => console.log(`${instance.id} says it is ${ms}`) });
console.log("asked:", await client.call("time", {}));

process.once("SIGINT", async () => {
  clearInterval(ticking);
  await house.close();
});
