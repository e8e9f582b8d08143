// Frames on disk: what was written whole is read back, what was torn is dropped, what was damaged is told from that.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type { SpoolRecord } from "../../../services/reporter/ports.js";
import { type Found, FrameReader, frame } from "../../../services/reporter/spool/frames.js";
import {
  packHeading,
  packRecord,
  UnknownVersion,
  unpackHeading,
  unpackRecord,
  VERSIONS,
} from "../../../services/reporter/spool/record.js";
import { aShare } from "./shares.js";

const payloads = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 8 });

function read(file: Buffer, pieceBytes = file.length || 1) {
  const reader = new FrameReader();
  const found: Found[] = [];
  for (let at = 0; at < file.length; at += pieceBytes) found.push(...reader.push(file.subarray(at, at + pieceBytes)));
  found.push(...reader.end());
  return { found, ending: reader.ending, gaps: reader.gaps };
}

test("whatever was written is read back, in pieces of any size", () => {
  fc.assert(
    fc.property(payloads, fc.integer({ min: 1, max: 400 }), (all, pieceBytes) => {
      const { found, ending } = read(Buffer.concat(all.map(frame)), pieceBytes);
      expect(found.map(({ payload }) => Buffer.from(payload).toString("hex"))).toEqual(
        all.map((payload) => Buffer.from(payload).toString("hex")),
      );
      expect(ending).toBe("clean");
    }),
  );
});

test("a file cut anywhere gives back every whole record and calls the rest torn", () => {
  fc.assert(
    fc.property(payloads, fc.nat(), (all, seed) => {
      const file = Buffer.concat(all.map(frame));
      const cut = seed % file.length;
      const { found, ending } = read(file.subarray(0, cut));
      let whole = 0;
      for (let at = 0; at + 12 + (all[whole]?.length ?? 0) <= cut; whole++) at += 12 + (all[whole]?.length ?? 0);
      expect(found).toHaveLength(whole);
      expect(ending).toBe(
        file.subarray(0, cut).length === found.reduce((sum, it) => sum + it.length, 0) ? "clean" : "torn",
      );
    }),
  );
});

test("a last write of which only the length got through, or nothing but zeros, is torn; more behind it is damage", () => {
  const [one, two] = [frame(Buffer.from("one")), frame(Buffer.from("two"))];
  const halfWritten = Buffer.concat([two.subarray(0, 12), Buffer.alloc(two.length - 12)]);
  expect(read(Buffer.concat([one, halfWritten]))).toMatchObject({ found: [{ offset: 0 }], ending: "torn" });
  expect(read(Buffer.concat([one, Buffer.alloc(4_096)]))).toMatchObject({ found: [{ offset: 0 }], ending: "torn" });
  expect(read(Buffer.concat([one, halfWritten, two]))).toMatchObject({
    found: [{ offset: 0 }, { offset: one.length + two.length }],
    ending: "damaged",
    gaps: [{ offset: one.length, length: two.length }],
  });
});

test("S1: whatever bit of a file flips, in a length too, it costs the record that it is in and no other one", () => {
  const one = fc.uint8Array({ minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(
      fc.array(one, { minLength: 2, maxLength: 6 }),
      fc.nat(),
      fc.integer({ min: 1, max: 400 }),
      (all, seed, pieceBytes) => {
        const frames = all.map(frame);
        const file = Buffer.concat(frames);
        const bit = seed % (8 * file.length);
        file[bit >> 3] = (file[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const bounds = frames.map(({ length }, i) => ({ offset: Buffer.concat(frames.slice(0, i)).length, length }));
        const hit = bounds.findIndex(({ offset, length }) => bit >> 3 < offset + length);
        const { found, ending, gaps } = read(file, pieceBytes);
        expect(found.map(({ offset }) => offset)).toEqual(
          bounds.filter((_, i) => i !== hit).map(({ offset }) => offset),
        );
        expect(gaps).toMatchObject([bounds[hit]]);
        if (hit < all.length - 1) expect(ending).toBe("damaged");
      },
    ),
    { numRuns: 300 },
  );
});

test("a share that cannot be read back costs itself, and its neighbours come back", () => {
  const rows = [1, 2, 3].map((seed) => ({ share: aShare(seed, { line: seed }), hashes: 1 }));
  const bytes = packRecord({ kind: "shares", shares: rows.map((it, i) => (i === 1 ? { ...it, hashes: -1 } : it)) });
  const { record, unreadable } = unpackRecord(bytes);
  expect(record).toMatchObject({ shares: [{ share: { line: 1 } }, { share: { line: 3 } }] });
  expect(unreadable).toBe(1);
});

test("a spool of this version or the one before is read; a newer or older one is refused by its version", () => {
  const heading = { id: "0123456789abcdef", cluster: "test", openedAt: 1 };
  const next = { readFirst: VERSIONS.readLast, readLast: VERSIONS.readLast + 1, written: VERSIONS.readLast + 1 };
  expect(unpackHeading(packHeading(heading), next)).toMatchObject(heading);
  expect(unpackHeading(packHeading(heading, next), next)).toMatchObject(heading);
  expect(() => unpackHeading(packHeading(heading, next))).toThrow(UnknownVersion);
  const later = { readFirst: next.readLast, readLast: next.readLast + 1, written: next.readLast + 1 };
  expect(() => unpackHeading(packHeading(heading), later)).toThrow(/of version 1, this release reads 2 to 3/);
});

test("shares and blocks come back from their bytes as they were", () => {
  const { worker, at: foundAt } = aShare(0);
  const given = { process: "0123456789abcdef", turn: 7 };
  const records: SpoolRecord[] = [
    { kind: "shares", shares: [{ share: aShare(9), hashes: 7.5 }], given },
    { kind: "shares", shares: [1, 2, 3].map((seed) => ({ share: aShare(seed, { block: seed === 2 }), hashes: 7.5 })) },
    {
      kind: "block",
      block: { hash: "ab".repeat(32), height: 7, worker, status: "accepted", confirmations: 1, foundAt, reason: "why" },
    },
  ];
  for (const record of records) {
    const back = unpackRecord(packRecord(record)).record;
    expect(JSON.parse(JSON.stringify(back))).toEqual(JSON.parse(JSON.stringify(plain(record))));
  }
});

/** With Buffers, as msgpack gives bytes back. */
function plain(record: SpoolRecord): unknown {
  if (record.kind === "block") return record;
  const shares = record.shares.map(({ share, hashes }) => ({
    share: { ...share, identity: Buffer.from(share.identity) },
    hashes,
  }));
  return { ...record, shares };
}
