// Records of a spool as bytes: one write each, a batch of shares or a block. Pure.
//
//   { kind: "shares", shares } <--> msgpack [1, [identity, connection, line, worker, job, height, difficulty, achieved, at, block, hashes] ...]
//   the same, given before     <--> msgpack [3, process, turn, [...] ...]
//   { kind: "block", block }   <--> msgpack [2, block]
//
//   V1. A file begins with what it is (heading). Versions READ_FIRST to READ_LAST are read. A newer one is left where it lies, to a reporter
//       that knows it: what was answered `true` waits there.
//   V2. WRITTEN is a version that the release before reads, too, so that old and new reporters of an installation may take over each
//       other's files, and a release can be taken back: one that brings a version raises READ_LAST, the next one raises WRITTEN.
//   V3. A share that cannot be read back costs itself and not its neighbours.
//
// Lists instead of objects: a share takes some 170 bytes.

import { pack, unpack } from "msgpackr";
import { z } from "zod";
import { blockRecord, share } from "../../../lib/contracts/index.js";
import type { CreditedShare, SpoolRecord } from "../ports.js";
import { isWritable } from "../writable.js";

const VERSION = 1;

/** V1, V2 */
export interface Versions {
  readonly readFirst: number;
  readonly readLast: number;
  readonly written: number;
}
export const VERSIONS: Versions = { readFirst: VERSION - 1, readLast: VERSION, written: 1 };

const headingShape = z.object({
  headframe: z.literal("spool"),
  version: z.number().int(),
  /** Names the spool for Redis, whatever its file is called by now. */
  id: z.string().regex(/^[0-9a-f]{16}$/),
  /** Shares of one installation must not end in the log of another. */
  cluster: z.string(),
  openedAt: z.number(),
});
export type Heading = Omit<z.output<typeof headingShape>, "headframe" | "version">;

export const packHeading = (heading: Heading, { written } = VERSIONS): Buffer =>
  pack({ headframe: "spool", version: written, ...heading });

/** It is a spool of a version that we do not read (V1). */
export class UnknownVersion extends Error {
  override readonly name = "UnknownVersion";
}

/** @throws {UnknownVersion} @throws {Error} when it is no heading of ours. */
export function unpackHeading(bytes: Uint8Array, { readFirst, readLast } = VERSIONS): Heading {
  const found: unknown = unpack(bytes);
  const { version } = headingShape.pick({ headframe: true, version: true }).parse(found);
  if (version < readFirst || version > readLast) {
    const known = `this release reads ${readFirst} to ${readLast}`;
    throw new UnknownVersion(`it is of version ${version}, ${known}: start a reporter of the release that wrote it`);
  }
  return headingShape.parse(found);
}

const SHARES = 1;
const BLOCK = 2;
const GIVEN = 3;

/** Whether a payload may begin so: a msgpack list whose first element is a small number. */
export function isLikelyRecord(payload: Uint8Array): boolean {
  const [first = 0] = payload;
  const kind = first >> 4 === 0x9 ? payload[1] : first === 0xdc ? payload[3] : first === 0xdd ? payload[5] : undefined;
  return kind !== undefined && kind > 0 && kind < 16;
}

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
  z.tuple([z.literal(SHARES)], z.unknown()),
  z.tuple([z.literal(GIVEN), z.string().regex(/^[0-9a-f]{16}$/), z.number().int().positive()], z.unknown()),
  z.tuple([z.literal(BLOCK), blockRecord.omit({ round: true })]),
]);

export function packRecord(record: SpoolRecord): Buffer {
  if (record.kind === "block") return pack([BLOCK, record.block]);
  const { given, shares } = record;
  return pack([...(given ? [GIVEN, given.process, given.turn] : [SHARES]), ...shares.map(toRow)]);
}

/**
 * @returns the record, and how many shares of it cannot be read (V3).
 * @throws {Error} when it is no record of ours.
 */
export function unpackRecord(bytes: Uint8Array): { readonly record: SpoolRecord; readonly unreadable: number } {
  const parsed = recordShape.parse(unpack(bytes));
  if (parsed[0] === BLOCK) return { record: { kind: "block", block: parsed[1] }, unreadable: 0 };
  const given = parsed[0] === GIVEN ? { process: parsed[1], turn: parsed[2] } : undefined;
  const rows = parsed.slice(given ? 3 : 1);
  const shares = rows
    .map((it) => row.safeParse(it))
    .flatMap(({ data }) => (data ? [fromRow(data)] : []))
    .filter(isWritable);
  return { record: { kind: "shares", shares, ...(given && { given }) }, unreadable: rows.length - shares.length };
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
