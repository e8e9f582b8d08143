// The 80 bytes that miners hash. Builder, verifier and miner must agree on them to the bit.
//
//   version 4 LE | previous hash 32 | merkle root 32 | time 4 LE | bits 4 LE | nonce 4 LE
//
// Hashes stand in internal byte order (explorers show them reversed). Source: Bitcoin's developer reference, "block headers";
// Litecoin's is the same.

import { sha256d } from "./hash.js";

export const HEADER_BYTES = 80;

export interface HeaderFields {
  readonly version: number;
  readonly previousHash: Uint8Array;
  readonly merkleRoot: Uint8Array;
  /** Seconds since the epoch. */
  readonly time: number;
  /** Compact network target. */
  readonly bits: number;
  readonly nonce: number;
}

export function encodeHeader(fields: HeaderFields): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUInt32LE(fields.version >>> 0, 0);
  header.set(fields.previousHash, 4);
  header.set(fields.merkleRoot, 36);
  header.writeUInt32LE(fields.time >>> 0, 68);
  header.writeUInt32LE(fields.bits >>> 0, 72);
  header.writeUInt32LE(fields.nonce >>> 0, 76);
  return header;
}

/** @throws {RangeError} when it is not 80 bytes long. */
export function decodeHeader(header: Uint8Array): HeaderFields {
  if (header.length !== HEADER_BYTES)
    throw new RangeError(`a header has ${HEADER_BYTES} bytes, this has ${header.length}`);
  const view = Buffer.from(header.buffer, header.byteOffset, header.byteLength);
  return {
    version: view.readUInt32LE(0),
    previousHash: view.subarray(4, 36),
    merkleRoot: view.subarray(36, 68),
    time: view.readUInt32LE(68),
    bits: view.readUInt32LE(72),
    nonce: view.readUInt32LE(76),
  };
}

/** The block's id in internal order; also a share's identity, whatever the coin's proof of work. */
export const headerId = (header: Uint8Array): Buffer => sha256d(header);

/** As explorers and daemons show it. */
export const displayHash = (hash: Uint8Array): string => Buffer.from(hash).reverse().toString("hex");
export const parseDisplayHash = (hex: string): Buffer => Buffer.from(hex, "hex").reverse();
