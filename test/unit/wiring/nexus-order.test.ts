// Promises of single steps that a slip would break in silence: each of these tests has caught one on purpose.

import { expect, test } from "@jest/globals";
import { Roster } from "../../../lib/wiring/discovery/roster.js";
import { type Clock, type Instance, systemClock, WiringError } from "../../../lib/wiring/index.js";
import { FRAME_COST, highHalf, KIND, lowHalf } from "../../../lib/wiring/rpc/frames.js";
import { Flusher, Outbox } from "../../../lib/wiring/rpc/outbox.js";
import { encodePayload } from "../../../lib/wiring/rpc/payload.js";
import { until } from "../../kit/until.js";
import { listen } from "./conformance-pushes.js";
import { contract } from "./mill.js";
import { rawPeer } from "./raw-peer.js";
import { failureOf, openMill, openWorld } from "./world.js";

test("O1 a peer that claims to have read more than it was sent gets no larger window", () => {
  const sent: number[] = [];
  const transmit = (frame: Buffer) => void sent.push(frame.length + FRAME_COST);
  const outbox = new Outbox({ flusher: new Flusher(), frameBytes: 512, nowMs: () => 0, transmit }, 4_096);
  outbox.put(KIND.push, 1, 0, 0, Buffer.alloc(1_000));
  outbox.credit(lowHalf(1e9), highHalf(1e9));
  for (let i = 0; i < 20 && outbox.fits(1_000); i += 1) outbox.put(KIND.push, 1, 0, 0, Buffer.alloc(1_000));
  const [, ...unread] = sent; // The first was read: it had been sent when the claim came.
  expect(unread.reduce((bytes, frame) => bytes + frame, 0)).toBeLessThanOrEqual(4_096);
  expect(unread.length).toBeGreaterThan(1);
});

test("a process that connects anew ends its older link, whose subscriptions are gone", async () => {
  const world = await openWorld("remote");
  const mill = await openMill(world.host);
  const { id, endpoint } = mill.hosted.instance;
  const older = rawPeer(endpoint, "older");
  await older.enter();
  await older.say([KIND.subscribe, 1, 0, 0, `${id}\ndust`]);
  await until("the older link is subscribed", 2_000, () => mill.hosted.subscribers("dust").length === 1);
  const newer = rawPeer(endpoint, "newer");
  await newer.enter();
  await until("the older link's subscription is gone", 2_000, () => mill.hosted.subscribers("dust").length === 0);
  const said: string[] = [];
  await until("the older link is sent away", 2_000, async () => {
    said.push(...(await older.kinds(100)));
    return said.some((message) => message.startsWith(`${KIND.goodbye} `));
  });
});

test("W4 the reply to a call that was given up never answers a later one of the same id", async () => {
  const world = await openWorld("remote");
  const mill = await openMill(world.host);
  const { id, endpoint } = mill.hosted.instance;
  const peer = rawPeer(endpoint);
  await peer.enter();
  await peer.say([KIND.name, 1, 0, 0, `${id}\nhold`], [KIND.request, 5, 1, 9_000, encodePayload(1)]);
  await until("the first is held", 2_000, () => mill.held.length === 1);
  await peer.say([KIND.cancel, 5, 0, 0, ""], [KIND.request, 5, 1, 9_000, encodePayload(2)]);
  await until("the second is held", 2_000, () => mill.held.length === 2);
  mill.held[0]?.answer(111);
  await new Promise((resolve) => setImmediate(resolve)); // A reply would be in the frame of that tick.
  mill.held[1]?.answer(112);
  const replies: [number, Buffer][] = [];
  await until("a reply is there", 2_000, async () => {
    for (const [kind, call, , , payload] of await peer.receive(100))
      if (kind === KIND.reply) replies.push([call, Buffer.from(payload)]);
    return replies.length > 0;
  });
  expect(replies).toEqual([[5, Buffer.from(encodePayload(112))]]);
});

/** Of who stands still; nothing else here waits for so long. */
const STILL_PING_MS = 203;

/** A clock that jumps, when it is told to, right before the next look at who is silent: what a process sees that stood still. */
function jumpingClock() {
  const clock = {
    jumpMs: 0,
    aheadMs: 0,
    nowMs: () => performance.now() + clock.aheadMs,
    after: (ms: number, run: () => void) =>
      systemClock.after(ms, () => {
        if (ms === STILL_PING_MS) [clock.aheadMs, clock.jumpMs] = [clock.aheadMs + clock.jumpMs, 0];
        run();
      }),
  };
  return clock satisfies Clock;
}

test.each(["host", "caller"] as const)("a %s that stood still takes nobody else's silence for it", async (who) => {
  const world = await openWorld("remote");
  const [still, lively] = [
    { pingMs: STILL_PING_MS, silenceMs: 2_000 },
    { pingMs: 50, silenceMs: 2_000 },
  ];
  const clock = jumpingClock();
  const options = (side: string) => (side === who ? { clock, limits: still } : { limits: lively });
  const gone: string[] = [];
  const mill = await openMill(await world.open(options("host")), { onPeerGone: (peer) => gone.push(peer) });
  const { seen } = listen((await world.open(options("caller"))).client(contract));
  await until("it is joined", 2_000, () => mill.hosted.subscribers("flour").length === 1);
  clock.jumpMs = 10_000; // Five times what counts as silence.
  await until("it has jumped", 2_000, () => clock.aheadMs > 0);
  const jumpedMs = performance.now();
  await until("two more looks were due", 2_000, () => performance.now() - jumpedMs > 3 * STILL_PING_MS);
  mill.hosted.push("flour", { sack: 1 });
  await until("a push arrives", 2_000, () => seen.at(-1) === "1@1");
  expect({ gone, left: seen.filter((what) => what.startsWith("leave")) }).toEqual({ gone: [], left: [] });
});

test("a call that was given up between two tries is not tried again", async () => {
  const timers = new Map<() => void, number>();
  const clock: Clock = {
    nowMs: () => 1,
    after(ms, run) {
      timers.set(run, ms);
      return () => timers.delete(run);
    },
  };
  const { open } = await openWorld("local");
  const nexus = await open({ clock });
  const mill = await openMill(nexus);
  mill.act = () => {
    throw new WiringError("OVERLOADED", "the bins are full");
  };
  const given = new AbortController();
  const call = failureOf(nexus.client(contract).call("act", 1, { signal: given.signal }));
  expect(mill.begun).toHaveLength(1);
  given.abort();
  expect(await call).toMatchObject({ code: "CANCELLED" });
  for (const run of [...timers.keys()]) run();
  expect(mill.begun).toHaveLength(1);
});

test("a refused call is tried at another instance next, although that one is busier", async () => {
  const world = await openWorld("remote");
  const [full, busy] = [await openMill(world.host), await openMill(await world.open())];
  const client = world.caller.client(contract);
  await client.ready(2_000, 2);
  full.act = () => {
    throw new WiringError("OVERLOADED", "the bins are full");
  };
  const held = [1, 2, 3].map((n) => client.call("hold", n, { to: busy.hosted.instance.id }));
  await until("it is busy", 2_000, () => busy.held.length === 3);
  for (let n = 1; n <= 10; n += 1) expect(await client.call("act", n)).toBe(n);
  expect(full.begun).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]); // Each once, and once only.
  for (const { answer, request } of busy.held) answer(request);
  await Promise.all(held);
});

test("L1 an older revision never replaces a newer one", () => {
  const roster = new Roster();
  const at = (revision: number, state: Instance["state"]) => ({
    instance: { id: "mill-1", state } as Instance,
    revision,
  });
  expect(roster.put(at(2, "draining"), 1_000, 0)).toBe(true);
  expect(roster.put(at(1, "ready"), 1_000, 1)).toBe(false);
  expect(roster.list()[0]?.state).toBe("draining");
  expect(roster.put(at(3, "ready"), 1_000, 2)).toBe(true);
});
