// From a share that is a block to the bytes that a daemon takes.
//
//   block = header | count of transactions | coinbase (with its witness) | transactions | 01 mweb
//
//   E1. Transactions and the MWEB part go in as the template gave them, bit for bit; the HogEx stays last.
//   E2. Everything but header and coinbase is one body, made once a template, so that any jobmanager can finish the block.
//
// Sources: BIP 141 for the witness; Litecoin Core 0.21 for the optional `01 | mweb` at the end (before activation: nothing).

import { Packr } from "msgpackr";
import { z } from "zod";
import { chain, type Job, roomOf } from "../../lib/contracts/index.js";
import { compactSize } from "./bytes.js";
import { withWitness } from "./coinbase.js";
import { hasSegwit, type Template } from "./template.js";

const MWEB_FOLLOWS = Buffer.from([0x01]);

/** What of a block does not depend on the miner. */
export interface BlockBody {
  readonly height: number;
  /** Transactions beside the coinbase. */
  readonly count: number;
  /** The coinbase commits to witnesses, so it carries one: only where segwit is active (BIP 145). */
  readonly witness: boolean;
  /** All other transactions, then the MWEB part. */
  readonly tail: Uint8Array;
}

export function bodyOf(template: Template): BlockBody {
  const parts = template.transactions.map((tx) => Buffer.from(tx.data, "hex"));
  if (template.mweb !== undefined) parts.push(MWEB_FOLLOWS, Buffer.from(template.mweb, "hex"));
  return {
    height: template.height,
    count: template.transactions.length,
    witness: hasSegwit(template) && template.default_witness_commitment !== undefined,
    tail: Buffer.concat(parts),
  };
}

/** @param coinbase complete, non-witness serialization. */
export function encodeBlock(header: Uint8Array, coinbase: Uint8Array, body: BlockBody): Buffer {
  return Buffer.concat([
    header,
    compactSize(body.count + 1),
    body.witness ? withWitness(coinbase) : coinbase,
    body.tail,
  ]);
}

/** A whole block of this job with extranonces and nonce zero: valid but for the proof of work. For proposals (BIP 23). */
export function draftBlock(job: Job, body: BlockBody): Buffer {
  const extranonces = Buffer.alloc(roomOf(job));
  const coinbase = Buffer.concat([job.coinbase1, extranonces, job.coinbase2]);
  const merkleRoot = chain.merkleRoot(chain.sha256d(coinbase), job.merkleBranch);
  const { version, previousHash, time, bits } = job;
  return encodeBlock(chain.encodeHeader({ version, previousHash, merkleRoot, time, bits, nonce: 0 }), coinbase, body);
}

const packr = new Packr({ useRecords: false });
const packedBody = z.object({
  height: z.number().int().nonnegative(),
  count: z.number().int().nonnegative(),
  witness: z.boolean(),
  tail: z.custom<Uint8Array>((value) => value instanceof Uint8Array),
});

/** For shared state. */
export const packBody = (body: BlockBody): Uint8Array => packr.pack(body);

/** Undefined when the bytes are not a body: another version wrote them, or they are damaged. */
export function unpackBody(bytes: Uint8Array): BlockBody | undefined {
  try {
    return packedBody.safeParse(packr.unpack(bytes)).data;
  } catch {
    return undefined;
  }
}
