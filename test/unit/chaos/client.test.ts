// The scripted client without a network: what it asks, and what it finds strange.

import { expect, test } from "@jest/globals";
import { Client } from "../../../chaos/client.js";
import type { Seen } from "../../../chaos/seen.js";
import { heightOf } from "../../../chaos/work.js";
import { splitCoinbase } from "../../../services/jobmanager/coinbase.js";

const halves = (height: number) =>
  splitCoinbase({
    ...{ height, aux: new Uint8Array(), salt: new Uint8Array(8), extranonceBytes: 8, tag: new Uint8Array() },
    outputs: [{ value: 1, script: new Uint8Array(22) }],
  });

const notify = (job: string, height: number) => {
  const { coinbase1, coinbase2 } = halves(height);
  const hex = [coinbase1.toString("hex"), coinbase2.toString("hex")];
  return {
    method: "mining.notify",
    params: [job, "11".repeat(32), ...hex, [], "20000000", "1d00ffff", "65000000", true],
  };
};

interface Asked {
  readonly id: number;
  readonly method: string;
  readonly params: readonly unknown[];
}

function start() {
  const asked: Asked[] = [];
  const seen: Seen[] = [];
  let nowMs = 1_000;
  const hands = {
    write: (line: string) => void asked.push(JSON.parse(line) as Asked),
    see: (fact: Seen) => void seen.push(fact),
    nowMs: () => nowMs,
  };
  const client = new Client(7, hands, { everyMs: 1_000 });
  return {
    ...{ client, asked, seen },
    kinds: () => seen.map(({ kind }) => kind),
    hear: (message: object) => client.line(JSON.stringify(message)),
    tick: (afterMs: number) => {
      nowMs += afterMs;
      client.tick(nowMs);
    },
  };
}

function mining() {
  const it = start();
  it.client.opened(0);
  it.hear({ id: 1, result: [[["mining.notify", "session-1"]], "0000002a", 4], error: null });
  it.hear({ id: 2, result: true, error: null });
  it.hear(notify("j1", 1_001));
  it.seen.length = 0;
  return it;
}

test("a client subscribes, authorizes and submits a share a second, each of its own", () => {
  const { client, asked, tick } = mining();
  expect(client.mining).toBe(true);
  tick(1);
  tick(100);
  tick(1_000);
  const shares = asked.filter(({ method }) => method === "mining.submit");
  expect(shares).toHaveLength(2);
  expect(new Set(shares.map(({ params }) => params[4])).size).toBe(2);
});

test("an answer belongs to exactly one question: a second one is strange, and so is one to a question never asked", () => {
  const { hear, tick, asked, kinds } = mining();
  tick(1);
  const id = asked.at(-1)?.id;
  hear({ id, result: true, error: null });
  hear({ id, result: true, error: null });
  hear({ id: 999, result: true, error: null });
  hear({ id: null, result: true, error: null });
  expect(kinds()).toEqual(["answer", "strange", "strange", "strange"]);
});

test("an answer that does not fit its question is strange", () => {
  const { hear, tick, asked, kinds } = mining();
  tick(1);
  hear({ id: asked.at(-1)?.id, result: "pong", error: null });
  expect(kinds()).toEqual(["answer", "strange"]);
});

test.each([
  "not json",
  "[1,2]garbage",
  '"text"',
  '{"method":"mining.unheard_of","params":[]}',
  '{"method":"mining.notify"}',
])("the line %s is strange", (line) => {
  const { client, kinds } = mining();
  client.line(line);
  expect(kinds()).toEqual(["strange"]);
});

test("a refusal is told with its code and words", () => {
  const { hear, tick, asked, seen } = mining();
  tick(1);
  hear({ id: asked.at(-1)?.id, result: null, error: [23, "Low difficulty share", null] });
  expect(seen).toMatchObject([{ kind: "answer", refused: { code: 23, text: "Low difficulty share" } }]);
});

test("a late answer is asked after with pings, and a later answer tells when the pool served again", () => {
  const { client, hear, tick, asked, seen } = mining();
  tick(1);
  tick(260);
  expect(asked.at(-1)?.method).toBe("mining.ping");
  tick(240);
  hear({ id: asked.at(-1)?.id, result: "pong", error: null });
  client.ended("us", "over");
  expect(seen).toMatchObject([
    { kind: "answer", method: "mining.ping" },
    { kind: "silence", method: "mining.submit", askedMs: 1_001, laterMs: 1_501 },
    { kind: "end", by: "us" },
  ]);
});

test("a client that comes back asks for its session, and tells which extranonce1 it had", () => {
  const { client, hear, asked, seen } = mining();
  client.ended("pool", "closed");
  client.opened(0);
  expect(asked.at(-1)).toMatchObject({ method: "mining.subscribe", params: ["chaos/1", "session-1"] });
  hear({ id: asked.at(-1)?.id, result: [[["mining.notify", "session-2"]], "0000002b", 4], error: null });
  expect(seen.at(-1)).toMatchObject({ kind: "session", extranonce1: "0000002b", before: "0000002a" });
});

test("questions that will not be answered are given up in the end", () => {
  const { client, hear, tick, asked, kinds } = mining();
  tick(1);
  client.pause();
  tick(300);
  hear({ id: asked.at(-1)?.id, result: "pong", error: null });
  tick(50_000);
  expect(client.waiting).toBe(0);
  expect(kinds()).toEqual(["answer", "silence"]);
});

test.each([17, 127, 128, 255, 1_000, 70_000, 3_000_000])("the height %i is read from the coinbase", (height) => {
  expect(heightOf(halves(height).coinbase1.toString("hex"))).toBe(height);
});

test("an answer to a question that was given up is late, not strange, and its share must be kept", () => {
  const { client, hear, tick, asked, kinds } = mining();
  tick(1);
  const late = asked.at(-1)?.id;
  client.pause();
  tick(300);
  hear({ id: asked.at(-1)?.id, result: "pong", error: null });
  tick(50_000);
  hear({ id: late, result: true, error: null });
  expect(kinds()).toEqual(["answer", "silence", "answer"]);
});
