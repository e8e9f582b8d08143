// Who may speak at all: attackers with plain sockets, who can reach a listener or be taken for one, and do not know the secret.

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { expect, test } from "@jest/globals";
import { pino } from "pino";
import { curveKeyPair, Router } from "zeromq";
import type { Instance, Metrics, NexusOptions } from "../../../lib/wiring/index.js";
import { FrameWriter, KIND, PROTOCOL_VERSION, REFUSAL } from "../../../lib/wiring/rpc/frames.js";
import { proofOf, proves, readHandshake } from "../../../lib/wiring/rpc/handshake.js";
import { atEnd } from "../../kit/cleanup.js";
import { until } from "../../kit/until.js";
import { contract, credentials } from "./mill.js";
import { rawPeer } from "./raw-peer.js";
import { failureOf, openMill, openWorld } from "./world.js";

const other = { ...credentials, secret: randomBytes(32) };

/** A mill that an attacker can reach, what it counted and what it logged. */
async function openTarget(options: Partial<NexusOptions> = {}) {
  const counts: Record<string, number> = {};
  const count: Metrics["count"] = (name, by = 1, tags) => {
    const key = [name, ...Object.values(tags ?? {})].join(" ");
    counts[key] = (counts[key] ?? 0) + by;
  };
  const metrics = { count, gauge: () => {}, timing: () => {}, close: async () => {} };
  const said: { readonly msg: string; readonly peer?: string }[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => said.push(JSON.parse(line)) });
  const world = await openWorld("remote");
  const host = await world.open({ metrics, log, ...options });
  const gone: string[] = [];
  const mill = await openMill(host, { onPeerGone: (peer) => gone.push(peer) });
  const { endpoint, id } = mill.hosted.instance;
  /** Everything a session may ask for. */
  const wishes = [
    [KIND.name, 1, 0, 0, `${id}\nact`],
    [KIND.request, 1, 1, 1_000, "\x01"],
    [KIND.subscribe, 2, 0, 0, `${id}\nflour`],
    [KIND.credit, 0, 1_000, 0, ""],
    [KIND.ping, 0, 0, 0, ""],
  ] as const;
  const untouched = () => {
    expect(mill.begun).toEqual([]);
    expect(mill.hosted.subscribers("flour")).toEqual([]);
    expect(gone).toEqual([]);
  };
  return { world, host, mill, endpoint, counts, said, wishes, untouched };
}

const refused = (answers: readonly string[]) => expect(answers.join()).toContain(`${KIND.goodbye} it does not know`);

test("without a proof nothing of a session is handled: no call, no subscription, no credit, no ping", async () => {
  const { endpoint, wishes, untouched } = await openTarget();
  const before = rawPeer(endpoint, "before");
  await before.say(...wishes);
  expect(await before.kinds()).toEqual([`${KIND.goodbye} say hello first`]);
  const between = rawPeer(endpoint, "between");
  await between.greet();
  await between.say(...wishes);
  expect(await between.kinds()).toEqual([`${KIND.goodbye} say hello first`]);
  const beside = rawPeer(endpoint, "beside");
  const { transcript } = await beside.greet();
  await beside.say([KIND.proof, 0, 0, 0, beside.proofBy(other, transcript)], ...wishes);
  refused(await beside.kinds());
  expect(await beside.kinds(100)).toEqual([]);
  untouched();
});

test("a wrong secret is refused by name, counted, and said once for each peer with what to do", async () => {
  const { endpoint, counts, said, wishes, untouched, host } = await openTarget();
  for (const route of ["one", "two", "three"]) {
    const peer = rawPeer(endpoint, route);
    await peer.prove(peer.proofBy(other, (await peer.greet()).transcript));
    const [[kind, refusal] = []] = await peer.receive();
    expect([kind, refusal]).toEqual([KIND.goodbye, REFUSAL.unauthenticated]);
    await peer.say(...wishes);
  }
  untouched();
  expect(said).toMatchObject([{ peer: "stranger-1", msg: expect.stringContaining("wiring.secretFile") }]);
  expect(JSON.stringify(said)).not.toContain(credentials.secret.toString("hex"));
  await host.close();
  expect(counts["wiring.peers_refused caller secret"]).toBe(3);
});

test("a proof that was heard once is worth nothing again", async () => {
  const { endpoint, wishes, untouched } = await openTarget();
  const honest = rawPeer(endpoint, "honest");
  const { transcript } = await honest.greet();
  const heard = honest.proofBy(credentials, transcript);
  await honest.prove(heard);
  expect((await honest.kinds())[0]).toContain(`${KIND.welcome} `);
  const replaying = rawPeer(endpoint, "replaying");
  await replaying.greet();
  await replaying.prove(heard);
  refused(await replaying.kinds());
  await replaying.prove(heard); // Nor after the refusal, without a challenge.
  expect(await replaying.kinds()).toEqual([`${KIND.goodbye} say hello first`]);
  await replaying.say(...wishes);
  untouched();
});

test("the listener's own proof, sent back, is no proof of the caller's", async () => {
  const { endpoint } = await openTarget();
  const peer = rawPeer(endpoint);
  const { transcript, listenersProof } = await peer.greet();
  expect(proves(listenersProof, "listener", credentials, transcript, undefined)).toBe(true);
  await peer.prove(listenersProof);
  refused(await peer.kinds());
});

test("a proof for another cluster, another listener, another address or other windows is refused", async () => {
  const { endpoint } = await openTarget();
  const attempts = {
    cluster: (peer: ReturnType<typeof rawPeer>, t: Parameters<typeof peer.proofBy>[1]) =>
      peer.proofBy({ ...credentials, cluster: "another" }, t),
    listener: (peer: ReturnType<typeof rawPeer>, t: Parameters<typeof peer.proofBy>[1]) =>
      peer.proofBy(credentials, { ...t, listener: { ...t.listener, id: "1-other" } }),
    address: (peer: ReturnType<typeof rawPeer>, t: Parameters<typeof peer.proofBy>[1]) =>
      peer.proofBy(credentials, { ...t, endpoint: "tcp://127.0.0.1:1" }),
    windows: (peer: ReturnType<typeof rawPeer>, t: Parameters<typeof peer.proofBy>[1]) =>
      peer.proofBy(credentials, { ...t, caller: { ...t.caller, windowBytes: 1_048_576 } }),
  };
  for (const [route, attempt] of Object.entries(attempts)) {
    const peer = rawPeer(endpoint, route);
    await peer.prove(attempt(peer, (await peer.greet()).transcript));
    refused(await peer.kinds());
  }
});

test("a caller of the next version is answered in the protocol that both speak, and may call", async () => {
  const { endpoint } = await openTarget();
  const peer = rawPeer(endpoint);
  const { transcript } = await peer.greet(PROTOCOL_VERSION + 1);
  expect(transcript).toMatchObject({ offered: PROTOCOL_VERSION + 1, protocol: PROTOCOL_VERSION });
  await peer.prove(peer.proofBy(credentials, transcript));
  expect((await peer.kinds())[0]).toContain(`${KIND.welcome} `);
});

test("nobody on the way can talk two sides down: what was offered and what was chosen are in the proofs", async () => {
  const { endpoint } = await openTarget();
  for (const [route, changes] of [
    ["offered", { offered: PROTOCOL_VERSION + 1 }],
    ["chosen", { protocol: PROTOCOL_VERSION - 1 }],
  ] as const) {
    const peer = rawPeer(endpoint, route);
    const { transcript, listenersProof } = await peer.greet();
    const changed = { ...transcript, ...changes };
    expect(proves(listenersProof, "listener", credentials, changed, undefined)).toBe(false);
    await peer.prove(peer.proofBy(credentials, changed));
    refused(await peer.kinds());
  }
});

test("an older protocol is refused, whatever comes with it", async () => {
  const { endpoint, wishes, untouched } = await openTarget();
  const peer = rawPeer(endpoint);
  await peer.say([KIND.hello, 0, PROTOCOL_VERSION - 1, 65_536, "stranger-1"], ...wishes);
  expect((await peer.kinds()).join()).toContain(`protocol ${PROTOCOL_VERSION - 1} is not spoken here`);
  untouched();
});

test("strangers are bounded in number, in answers and in bytes, and those who belong here come in all the same", async () => {
  const { endpoint, host, world, counts } = await openTarget({
    limits: { strangersMax: 3, handshakeMs: 300 },
  });
  const peers = ["a", "b", "c"].map((route) => rawPeer(endpoint, route));
  for (const peer of peers) await peer.greet();
  const fourth = rawPeer(endpoint, "d");
  await fourth.say([KIND.ping, 0, 0, 0, ""]);
  expect(await fourth.receive(100)).toEqual([]); // Not answered while three are remembered.
  const [first] = peers;
  if (!first) throw new Error("no peer");
  const answers: string[] = [];
  for (let i = 0; i < 20; i++) await first.say([KIND.ping, 0, 0, 0, ""]);
  for (let got = await first.kinds(100); got.length > 0; got = await first.kinds(100)) answers.push(...got);
  expect(answers.length).toBeLessThan(5); // Of twenty.
  expect(await world.caller.client(contract).call("act", 1, { timeoutMs: 5_000 })).toBe(1);
  const large = rawPeer(endpoint, "large");
  await large.say([KIND.hello, 0, PROTOCOL_VERSION, 65_536, Buffer.alloc(5_000)]);
  expect(await large.kinds()).toEqual([`${KIND.goodbye} say hello first`]);
  await host.close();
  expect(counts["wiring.peers_refused caller crowd"]).toBeGreaterThan(10);
}, 20_000);

test("a caller with another secret learns so by name: UNAUTHENTICATED, nothing was sent, and what to do", async () => {
  const { world, said, untouched } = await openTarget();
  const stranger = await world.open({ credentials: other });
  const client = stranger.client(contract);
  const failure = await failureOf(client.call("act", 1, { timeoutMs: 500 }));
  expect(failure).toMatchObject({ code: "UNAUTHENTICATED", sent: false });
  expect(failure.message).toContain("wiring.secretFile");
  expect(await failureOf(client.ready(100))).toMatchObject({ code: "UNAUTHENTICATED" });
  untouched();
  expect(said).toEqual([]); // The listener proves first: this one never said a word more.
});

test("a connection that does not even speak ZeroMQ is ended within the time of a handshake", async () => {
  const { endpoint } = await openTarget({ limits: { handshakeMs: 300 } });
  const { hostname, port } = new URL(endpoint);
  const socket = connect(Number(port), hostname);
  atEnd(() => socket.destroy());
  await once(socket, "connect");
  await once(socket.resume(), "close", { signal: AbortSignal.timeout(3_000) });
});

test("connections that come and go, as often as a stranger likes, make nobody else hear of each", async () => {
  const { endpoint } = await openTarget();
  const peer = rawPeer(endpoint, "peer");
  await peer.enter();
  const { hostname, port } = new URL(endpoint);
  const begunMs = performance.now();
  for (let i = 0; i < 200; i++) {
    const stranger = rawPeer(endpoint, `stranger-${i}`);
    await stranger.say([KIND.ping, 0, 0, 0, ""]);
    stranger.socket.close();
    const plain = connect(Number(port), hostname);
    await once(plain, "connect");
    plain.destroy();
  }
  const tookMs = performance.now() - begunMs;
  let pings = 0;
  for (let got = await peer.kinds(200); got.length > 0; got = await peer.kinds(200)) {
    pings += got.filter((it) => it.startsWith(`${KIND.ping} `)).length;
  }
  expect(pings).toBeLessThan(10 + tookMs / 5); // One in five milliseconds, not three for each.
}, 20_000);

/** Listens where an instance was, or where discovery was made to say so. */
async function openImpostor(answer: (frame: Buffer) => Buffer | undefined) {
  const socket = new Router({ linger: 0 });
  await socket.bind("tcp://127.0.0.1:*");
  atEnd(() => socket.close());
  const heard: Buffer[] = [];
  void (async () => {
    for await (const [route, frame] of socket) {
      if (!route || !frame) continue;
      heard.push(frame);
      const said = answer(frame);
      if (said) await socket.send([route, said]);
    }
  })().catch(() => {});
  return { endpoint: socket.lastEndpoint ?? "", heard };
}

const framed = (kind: number, a: number, b: number, payload: Uint8Array): Buffer => {
  const writer = new FrameWriter();
  writer.put(kind, 0, a, b, payload);
  return writer.take(1);
};

test("a listener that cannot prove itself gets no call and no proof, whatever discovery says", async () => {
  const { mill } = await openTarget();
  const world = await openWorld("remote"); // Which has not heard of it.
  const impostors = [
    await openImpostor(() => framed(KIND.welcome, PROTOCOL_VERSION, 65_536, Buffer.from("1-impostor"))),
    await openImpostor((frame) => {
      const [id, nonce] = String(readHandshake(frame)?.payload).split("\n"); // Reflects the caller's own nonce.
      const proof = proofOf(
        "listener",
        other,
        {
          endpoint: "tcp://127.0.0.1:1",
          understood: 1,
          offered: PROTOCOL_VERSION,
          protocol: PROTOCOL_VERSION,
          caller: { id: id ?? "", nonce: nonce ?? "", key: "", windowBytes: 1 },
          listener: { id: "1-impostor", nonce: nonce ?? "", key: "", windowBytes: 1 },
        },
        undefined,
      );
      return framed(
        KIND.challenge,
        PROTOCOL_VERSION,
        65_536,
        Buffer.from(`1-impostor\n${nonce}\n\n${proof?.toString("hex")}`),
      );
    }),
  ];
  for (const [i, { endpoint, heard }] of impostors.entries()) {
    const false_ = { ...mill.hosted.instance, id: `mill-false${i}`, endpoint } as Instance;
    world.directory.put(false_);
    const client = world.caller.client(contract);
    const failure = await failureOf(client.call("act", 1, { timeoutMs: 500 }));
    expect(failure).toMatchObject({ sent: false });
    expect(client.instances()).toEqual([]); // Nobody is told of it, such as HAProxy's controller of an edge that is none.
    world.directory.remove(false_.id);
    await until("it was greeted", 2_000, () => heard.length > 0);
    for (const frame of heard) expect(readHandshake(frame)?.kind).toBe(KIND.hello);
    await client.close();
  }
});

test("a handshake that is passed on between two who know the secret counts for neither", async () => {
  const { endpoint, mill, world } = await openTarget();
  // The caller dials the relay's address, where a process of ours was once; the relay passes every frame on.
  const relay = rawPeer(endpoint, "relay");
  const pass = new Router({ linger: 0 });
  await pass.bind("tcp://127.0.0.1:*");
  atEnd(() => pass.close());
  let passed = 0;
  void (async () => {
    for await (const [route, frame] of pass) {
      if (!route || !frame) continue;
      passed += 1;
      await relay.socket.send(frame);
      const [kind, id, a, b, payload] = (await relay.receive())[0] ?? [KIND.ping, 0, 0, 0, ""];
      await pass.send([route, relay.frame([kind, id, a, b, payload])]);
    }
  })().catch(() => {});
  world.directory.remove(mill.hosted.instance.id);
  world.directory.put({ ...mill.hosted.instance, endpoint: pass.lastEndpoint ?? "" });
  const client = world.caller.client(contract);
  expect(await failureOf(client.call("act", 1, { timeoutMs: 500 }))).toMatchObject({ code: "UNAUTHENTICATED" });
  expect(passed).toBeGreaterThan(0);
  expect(mill.begun).toEqual([]);
});

test("with CURVE a proof is bound to both keys: the secret alone, or a key alone, is not enough", async () => {
  const [mine, theirs] = [curveKeyPair(), curveKeyPair()];
  const id = (key: string) => ({ id: "1-a", nonce: "00".repeat(32), key, windowBytes: 65_536 });
  const transcript = {
    ...{ endpoint: "e", understood: 0, offered: PROTOCOL_VERSION, protocol: PROTOCOL_VERSION },
    ...{ caller: id(mine.publicKey), listener: id(theirs.publicKey) },
  };
  const made = proofOf("caller", credentials, transcript, mine) ?? Buffer.alloc(0);
  expect(proves(made, "caller", credentials, transcript, theirs)).toBe(true);
  const claimed = curveKeyPair(); // Claims the caller's key, and has the secret of another one.
  const false_ = proofOf("caller", credentials, transcript, { ...claimed, publicKey: mine.publicKey });
  expect(proves(false_ ?? made, "caller", credentials, transcript, theirs)).toBe(false);
  expect(proves(made, "caller", other, transcript, theirs)).toBe(false);
  const zero = { ...transcript, caller: id("0".repeat(40)) };
  expect(proofOf("listener", credentials, zero, theirs)).toBeUndefined(); // No point that makes a secret.

  const world = await openWorld("remote");
  await openMill(await world.open({ curve: curveKeyPair() }));
  const outsider = await world.open({ curve: curveKeyPair(), credentials: other });
  expect(await failureOf(outsider.client(contract).call("act", 1, { timeoutMs: 500 }))).toMatchObject({
    code: "UNAUTHENTICATED",
  });
  const insider = await world.open({ curve: curveKeyPair() });
  expect(await insider.client(contract).call("act", 2)).toBe(2);
});
