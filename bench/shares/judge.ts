// The process of the validation benchmark: real lines into the real stratum parts (parse, session, judging, proof of work), with a
// reporter in memory that knows duplicates.
//
//   prepare(n) --lines--> InLines.events --> answers counted by kind          bare: crypto.scrypt alone, as often

import { scrypt } from "node:crypto";
import {
  type ClientEvent,
  type ConnectionId,
  chain,
  type Difficulty,
  type Handle,
  type Job,
  type JobId,
  type LineNumber,
  type Out,
  type ProofOfWorkName,
} from "../../lib/contracts/index.js";
import { type InstanceId, noMetrics, type PeerId, quiet } from "../../lib/wiring/index.js";
import { Desk } from "../../services/stratum/desk.js";
import { InLines } from "../../services/stratum/in-lines.js";
import { JobBook } from "../../services/stratum/jobs.js";
import type { Recorded } from "../../services/stratum/ports.js";
import { settings as schema } from "../../services/stratum/settings.js";
import { Tally } from "../../services/stratum/tally.js";
import { encodeVariant, nameOf, quantized } from "../../services/stratum/variant.js";
import { beAgent, usage } from "../kit/agent.js";

/** In ten lines: one of each, and the rest good. */
export const MIX = { low: 1, stale: 1, duplicate: 1, good: 7 } as const;
const KINDS = Object.values(MIX).reduce((sum, part) => sum + part, 0);
/** Of mainnet size: 4,000 transactions are twelve siblings, a coinbase has some 250 bytes. */
const BRANCH = 12;
const COINBASE1_BYTES = 60;
const COINBASE2_BYTES = 180;
/** Litecoin's and Bitcoin's difficulty of today: no block is found by chance. */
const BITS = 0x1900_ffff;
const EASY = 1e-12 as Difficulty;
const DIFFICULT = 1e9 as Difficulty;
const [EASY_WORK, HARD_WORK] = [EASY, DIFFICULT].map((difficulty) => encodeVariant(quantized(difficulty), 0)) as [
  string,
  string,
];
const CONNECTIONS = 100;
/** Lines of one call of an edge. */
const BATCH = 512;
const SCRYPT = { N: 1_024, r: 1, p: 1 } as const;
const HEADER_BYTES = 80;
const EDGE = "bench-edge" as PeerId;

export interface Judged {
  readonly n: number;
  readonly seconds: number;
  readonly cpuUs: number;
  readonly rssBytes: number;
  readonly answers: Readonly<Record<string, number>>;
}

function jobOf(id: string, proofOfWork: ProofOfWorkName, height: number): Job {
  return {
    ...{ id: id as JobId, coin: "bench", proofOfWork, height, previousHash: Buffer.alloc(32, height) },
    ...{ coinbase1: Buffer.alloc(COINBASE1_BYTES, 1), coinbase2: Buffer.alloc(COINBASE2_BYTES, 2) },
    ...{ extranonce1Size: 4, extranonce2Size: 4 },
    merkleBranch: Array.from({ length: BRANCH }, (_, i) => Buffer.alloc(32, i + 1)),
    ...{ version: 0x2000_0000, versionMask: 0x1fff_e000, bits: BITS, time: 1_700_000_000, timeMin: 1_699_999_000 },
    ...{ clean: true, templateAt: 1_700_000_000_000 as Job["templateAt"] },
  };
}

const answers: Record<string, number> = {};
const ANSWERS: readonly (readonly [string, string])[] = [
  ['result":true', "good"],
  ["[23,", "low"],
  ["[21,", "stale"],
  ["[22,", "duplicate"],
];

function count(out: Out): void {
  if (out.kind !== "write" || !out.bytes) return;
  const text = Buffer.from(out.bytes).toString("latin1");
  const [, kind = "other"] = ANSWERS.find(([sign]) => text.includes(sign)) ?? [];
  answers[kind] = (answers[kind] ?? 0) + 1;
}

let lines: InLines | undefined;
let prepared: ClientEvent[][] = [];
let nonce = 0;
let lastGood: (ClientEvent & { kind: "line" }) | undefined;
let number = 10;

function open(proofOfWork: ProofOfWorkName): void {
  const book = new JobBook();
  const seen = new Set<string>();
  const rules = (difficulty: Difficulty) => ({
    difficulty: { start: difficulty, floor: difficulty, ceiling: difficulty },
    vardiff: { enabled: false },
  });
  let extranonce1 = 0;
  const desk = new Desk({
    settings: schema.parse({ listeners: { default: rules(EASY), difficult: rules(DIFFICULT) } }),
    book,
    out: { say: (_, out) => count(out), forget: () => {} },
    shares: {
      record: ({ identity }, _, __, settle) => settle(recorded(seen, identity)),
      known: async () => false,
      reject: () => {},
      waiting: 0,
    },
    blocks: { submit: () => {} },
    freshAtMs: () => performance.now(),
    state: {
      save: () => {},
      forget: () => {},
      release: async () => {},
      adopt: async () => undefined,
      enlist: async () => ({ extranonce1: (extranonce1++).toString(16).padStart(8, "0") }),
    },
    jobs: { lookup: async () => undefined },
    log: quiet,
    tally: new Tally(noMetrics),
  });
  const senior = "jobmanager-bench" as InstanceId;
  book.offer(jobOf("a1", proofOfWork, 100), senior, true, 0);
  book.offer(jobOf("b2", proofOfWork, 101), senior, true, 0);
  lines = new InLines(desk);
}

function recorded(seen: Set<string>, identity: Uint8Array): Recorded {
  const key = Buffer.from(identity.buffer, identity.byteOffset, identity.length).toString("latin1");
  if (seen.has(key)) return "duplicate";
  seen.add(key);
  return "recorded";
}

/** Everybody subscribes and authorizes. */
async function attend(): Promise<void> {
  const events: ClientEvent[] = [];
  for (let handle = 1; handle <= CONNECTIONS; handle++) {
    events.push({
      ...{ kind: "open", handle: handle as Handle, connection: `c${handle}` as ConnectionId, adopted: false },
      ...{ remoteAddress: "192.0.2.1", remotePort: 1_000, secure: false },
      listener: handle === CONNECTIONS ? "difficult" : "default",
    });
    const say = (text: string) =>
      events.push({ kind: "line", handle: handle as Handle, number: number++ as LineNumber, bytes: Buffer.from(text) });
    say('{"id":1,"method":"mining.subscribe","params":["bench/1"]}');
    say('{"id":2,"method":"mining.authorize","params":["w.rig","x"]}');
  }
  lines?.events(events, EDGE);
  await lines?.idle();
}

/** Lines that nobody has seen yet, so that their making is not measured. */
function prepare(n: number): void {
  prepared = [];
  let batch: ClientEvent[] = [];
  for (let i = 0; i < n; i++) {
    const kind = i % KINDS;
    const handle = kind === 0 ? CONNECTIONS : 1 + (i % (CONNECTIONS - 1));
    const job = nameOf((kind === 1 ? "a1" : "b2") as JobId, kind === 0 ? HARD_WORK : EASY_WORK);
    const event = kind === 2 ? again() : submit(handle, job);
    if (kind > 2) lastGood = event;
    batch.push(event);
    if (batch.length >= BATCH) {
      prepared.push(batch);
      batch = [];
    }
  }
  if (batch.length > 0) prepared.push(batch);
}

function submit(handle: number, job: string): ClientEvent & { kind: "line" } {
  // A fresh extranonce2 for each: a fast miner is through all nonces of one in less time than it takes to find a share.
  const hex = (nonce++).toString(16).padStart(8, "0");
  const text = `{"id":${nonce},"method":"mining.submit","params":["w.rig","${job}","${hex}","6553f100","${hex}"]}`;
  return { kind: "line", handle: handle as Handle, number: number++ as LineNumber, bytes: Buffer.from(text) };
}

/** The same share as the last good one, under another line. */
function again(): ClientEvent & { kind: "line" } {
  return lastGood ? { ...lastGood, number: number++ as LineNumber } : submit(1, nameOf("b2" as JobId, EASY_WORK));
}

async function run(): Promise<Judged> {
  for (const kind of Object.keys(answers)) delete answers[kind];
  const n = prepared.reduce((sum, batch) => sum + batch.length, 0);
  const before = usage();
  const startMs = performance.now();
  for (const batch of prepared) {
    lines?.events(batch, EDGE);
    await lines?.idle();
  }
  const seconds = (performance.now() - startMs) / 1_000;
  const { cpuUs, rssBytes } = usage();
  return { n, seconds, cpuUs: cpuUs - before.cpuUs, rssBytes, answers: { ...answers } };
}

/** The hash function alone, as many at once as a batch has. */
async function bare(n: number): Promise<Judged> {
  const header = Buffer.alloc(HEADER_BYTES);
  const before = usage();
  const startMs = performance.now();
  for (let done = 0; done < n; done += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, n - done) }, (_, i) => {
      const bytes = Buffer.from(header);
      bytes.writeUInt32LE(done + i, HEADER_BYTES - 4);
      return new Promise((resolve, reject) =>
        scrypt(bytes, bytes, 32, SCRYPT, (error, hash) => (error ? reject(error) : resolve(hash))),
      );
    });
    await Promise.all(batch);
  }
  const seconds = (performance.now() - startMs) / 1_000;
  const { cpuUs, rssBytes } = usage();
  return { n, seconds, cpuUs: cpuUs - before.cpuUs, rssBytes, answers: {} };
}

beAgent({
  open: async (proofOfWork: ProofOfWorkName) => {
    open(proofOfWork);
    await attend();
    return chain.hashesPerDifficulty(proofOfWork);
  },
  prepare,
  run,
  bare,
});
