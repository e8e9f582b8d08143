// Records of a spool as bytes: one write each, a batch of shares or a block. Pure.
//
//   { kind: "shares", shares } <--> msgpack [1, [identity, connection, line, worker, job, height, difficulty, achieved, at, block, hashes] ...]
//   { kind: "block", block }   <--> msgpack [2, block]
//
// Lists instead of objects: a share takes some 170 bytes. A file begins with what it is (heading), so that a later version
// can read, or refuse, what an earlier one left.

import { pack, unpack } from "msgpackr";
import { z } from "zod";
import { blockRecord, share } from "../../../lib/contracts/index.js";
import type { CreditedShare, SpoolRecord } from "../ports.js";

const VERSION = 1;

const headingShape = z.object({
  headframe: z.literal("spool"),
  version: z.literal(VERSION),
  /** Names the spool for Redis, whatever its file is called by now. */
  id: z.string().regex(/^[0-9a-f]{16}$/),
  /** Shares of one installation must not end in the log of another. */
  cluster: z.string(),
  openedAt: z.number(),
});
export type Heading = Omit<z.output<typeof headingShape>, "headframe" | "version">;

export const packHeading = (heading: Heading): Buffer => pack({ headframe: "spool", version: VERSION, ...heading });

/** @throws {Error} when it is no heading of ours. */
export const unpackHeading = (bytes: Uint8Array): Heading => headingShape.parse(unpack(bytes));

const SHARES = 1;
const BLOCK = 2;

const row = z.tuple([
  share.shape.identity,
  share.shape.connection,
  share.shape.line,
  share.shape.worker,
  share.shape.job,
  share.shape.height,
  share.shape.difficulty,
  share.shape.achieved,
  share.shape.at,
  share.shape.block,
  z.number().positive(),
]);
type Row = z.output<typeof row>;

const recordShape = z.union([
  z.tuple([z.literal(SHARES)], row),
  z.tuple([z.literal(BLOCK), blockRecord.omit({ round: true })]),
]);

export function packRecord(record: SpoolRecord): Buffer {
  return record.kind === "block" ? pack([BLOCK, record.block]) : pack([SHARES, ...record.shares.map(toRow)]);
}

/** @throws {Error} when it is no record of ours. */
export function unpackRecord(bytes: Uint8Array): SpoolRecord {
  const parsed = recordShape.parse(unpack(bytes));
  if (parsed[0] === BLOCK) return { kind: "block", block: parsed[1] };
  const [, ...rows] = parsed;
  return { kind: "shares", shares: rows.map(fromRow) };
}

const toRow = ({ share: it, hashes }: CreditedShare): Row => [
  it.identity,
  it.connection,
  it.line,
  it.worker,
  it.job,
  it.height,
  it.difficulty,
  it.achieved,
  it.at,
  it.block,
  hashes,
];

function fromRow(it: Row): CreditedShare {
  const [identity, connection, line, worker, job, height, difficulty, achieved, at, block, hashes] = it;
  return { share: { identity, connection, line, worker, job, height, difficulty, achieved, at, block }, hashes };
}
