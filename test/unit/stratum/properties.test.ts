// What holds for any input at all.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { pack, unpack } from "msgpackr";
import { type ConnectionId, type Difficulty, type JobId, STATE_BYTES_MAX } from "../../../lib/contracts/index.js";
import { JobBook } from "../../../services/stratum/jobs.js";
import { swappedHash } from "../../../services/stratum/protocol/encode.js";
import { parseAny, parseLine } from "../../../services/stratum/protocol/parse.js";
import { METHODS } from "../../../services/stratum/protocol/requests.js";
import { readSubmitLine } from "../../../services/stratum/protocol/submit-line.js";
import { receive } from "../../../services/stratum/receive.js";
import { enlisted, greet } from "../../../services/stratum/session.js";
import type { Session } from "../../../services/stratum/session-state.js";
import { decodeSnapshot, encodeSnapshot, fitsWorker, type Snapshot } from "../../../services/stratum/snapshot.js";
import { SILENT_MAX } from "../../../services/stratum/vardiff.js";
import { contextOf, craftJob, SENIOR } from "./craft.js";

test("no bytes make the parser throw", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void parseLine(bytes)));
});

const hexOf = (min: number, max: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdefABCDEF"), minLength: min, maxLength: max });
const odd = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: "binary", maxLength: 12 }), hexOf(0, 20));
const mostly = (usual: fc.Arbitrary<string>) =>
  fc.oneof({ weight: 9, arbitrary: usual }, { weight: 1, arbitrary: odd });
const quoted = (text: fc.Arbitrary<string>) =>
  fc.oneof(
    { weight: 9, arbitrary: text.map((it) => JSON.stringify(it)) },
    { weight: 1, arbitrary: text.map((it) => `"${it}"`) }, // Not always JSON.
  );
const submitLine = fc
  .tuple(
    fc.oneof(fc.nat().map(String), fc.constantFrom("-1", "007", "1e3", "12345678901234567890", '"x"', "null")),
    mostly(fc.constant("mining.submit")),
    fc.tuple(
      quoted(mostly(fc.constantFrom("alice.rig 1", "a", "w".repeat(256), "w".repeat(257)))),
      quoted(mostly(fc.constantFrom("88df14441c00", "a103c", "j".repeat(33)))),
      quoted(mostly(hexOf(2, 16))),
      quoted(mostly(hexOf(1, 8))),
      quoted(mostly(hexOf(1, 17))),
    ),
    fc.option(quoted(mostly(hexOf(1, 8)))),
    fc.constantFrom([0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 2, 1]),
    fc.constantFrom("", " ", "  "),
  )
  .map(([id, method, params, bits, order, space]) => {
    const list = [...params, ...(bits === null ? [] : [bits])].join(`,${space}`);
    const parts = [`"id":${space}${id}`, `"method":${space}${JSON.stringify(method)}`, `"params":${space}[${list}]`];
    return `{${order.map((i) => parts[i]).join(`,${space}`)}}`;
  });

test("H1 a submit is read by the short cut exactly as by the long way", () => {
  let short = 0;
  fc.assert(
    fc.property(submitLine, fc.constantFrom<BufferEncoding>("utf8", "latin1"), (line, encoding) => {
      const bytes = Buffer.from(line, encoding);
      if (readSubmitLine(bytes.toString("latin1"))) short += 1;
      expect(parseLine(bytes)).toEqual(parseAny(bytes));
    }),
    { numRuns: 3_000 },
  );
  expect(short).toBeGreaterThan(100);
});

/** A line that is nearly a request. */
const nearly = fc.record({
  id: fc.oneof(fc.integer(), fc.double(), fc.string(), fc.constant(null), fc.jsonValue()),
  method: fc.oneof(fc.constantFrom(...METHODS.keys()), fc.string()),
  params: fc.oneof(
    fc.array(fc.oneof(fc.string(), fc.jsonValue(), fc.constantFrom("00000000", "a1")), { maxLength: 8 }),
    fc.jsonValue(),
  ),
});

test("no request makes a session throw, and every one is answered with one id or judged", () => {
  const book = new JobBook();
  book.offer(craftJob(), SENIOR, true, 0);
  const context = contextOf(book);
  const greeting = greet("l/1" as ConnectionId, 0);
  const enlisting: Session & { phase: "enlisting" } = { ...greeting, phase: "enlisting", id: "1" };
  const mining = enlisted(enlisting, { extranonce1: "00000001" }, context).session;
  fc.assert(
    fc.property(nearly, fc.constantFrom<Session>(greeting, mining), (request, session) => {
      const { effects } = receive(session, parseLine(Buffer.from(JSON.stringify(request))), context);
      const [first] = effects;
      expect(["say", "judge", "enlist"]).toContain(first?.kind);
      if (first?.kind === "say") for (const line of first.text.trimEnd().split("\n")) JSON.parse(line);
    }),
    { numRuns: 500 },
  );
});

const difficulty = fc.double({ min: 1e-9, max: 1e15, noNaN: true }) as fc.Arbitrary<Difficulty>;
const printable = (min: number, max: number) =>
  fc.string({
    unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
    minLength: min,
    maxLength: max,
  });

function fitting(names: readonly string[]): string[] {
  const kept: string[] = [];
  for (const name of names) if (fitsWorker(kept, name)) kept.push(name);
  return kept;
}

const bytesHex = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((it) => Buffer.from(it).toString("hex"));

const snapshot: fc.Arbitrary<Snapshot> = fc
  .record({
    agent: printable(0, 128),
    workers: fc.array(printable(1, 128), { maxLength: 64 }).map((names) => fitting(names)),
    versionMask: fc.integer({ min: 0, max: 0xffff_ffff }),
    minimum: fc.oneof(fc.constant(0), difficulty),
    wish: fc.oneof(fc.constant(0), difficulty),
  })
  .chain((common) =>
    fc.oneof(
      fc.constant(common),
      fc
        .record({
          extranonce1: fc.uint8Array({ minLength: 1, maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString("hex")),
          difficulty,
          announced: fc.oneof(fc.constant(undefined), difficulty),
          told: fc.oneof(
            fc.constant(undefined),
            fc.record({ job: bytesHex(4).map((id) => id as JobId), tip: bytesHex(8) }),
          ),
          silent: fc.nat({ max: SILENT_MAX }),
        })
        .map((mining) => ({ ...common, mining })),
    ),
  );

test("a snapshot comes back as it went, in at most the bytes that an edge carries", () => {
  fc.assert(
    fc.property(snapshot, (given) => {
      const bytes = encodeSnapshot(given);
      expect(bytes.length).toBeLessThanOrEqual(STATE_BYTES_MAX);
      expect(decodeSnapshot(bytes)).toEqual(given);
    }),
  );
});

test("an instance of before or after one that adds fields to the snapshot reads what both know", () => {
  fc.assert(
    fc.property(snapshot, fc.array(fc.oneof(fc.integer(), fc.string()), { maxLength: 3 }), (given, added) => {
      const row = unpack(encodeSnapshot(given)) as unknown[];
      const mining = row.pop() as unknown[] | null;
      expect(decodeSnapshot(pack([...row, mining && [...mining, ...added], ...added]))).toEqual(given);
      const before = given.mining ? { ...given, mining: { ...given.mining, silent: 0 } } : given;
      expect(decodeSnapshot(pack([...row, mining?.slice(0, 5) ?? null]))).toEqual(before);
    }),
  );
});

test("bytes that are no snapshot, or half of one, are told apart from one and never throw", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => expect(decodeSnapshot(bytes)).toBeUndefined()));
  fc.assert(
    fc.property(snapshot, fc.nat(), (given, cut) => {
      const bytes = encodeSnapshot(given);
      expect(decodeSnapshot(bytes.subarray(0, cut % bytes.length))).toBeUndefined();
    }),
  );
});

test("the previous hash on the wire is the display hash with its eight words reversed", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (hash) => {
      const display = Buffer.from(hash).reverse().toString("hex");
      const words = display.match(/.{8}/g) ?? [];
      expect(swappedHash(hash)).toBe(words.reverse().join(""));
    }),
  );
});
