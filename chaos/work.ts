// What a client reads of mining.notify. Pure; one notice goes to all clients of a thread, so it is read once.

import type { Work } from "../demo/miner/client.js";

export interface Notice extends Work {
  /** Of the block to be found, from the coinbase (BIP 34). */
  readonly height: number;
}

const PARAMS = 9;

/** Undefined when a miner's firmware could not read it either. */
export function readNotice(params: unknown): Notice | undefined {
  if (!Array.isArray(params) || params.length < PARAMS) return undefined;
  const [jobId, previousHash, coinbase1, coinbase2, branches, version, bits, time, clean] = params as unknown[];
  const texts = [jobId, previousHash, coinbase1, coinbase2, version, bits, time];
  if (!texts.every((text) => typeof text === "string") || !Array.isArray(branches)) return undefined;
  const height = heightOf(coinbase1 as string);
  if (height === undefined) return undefined;
  return {
    ...({ jobId, previousHash, coinbase1, coinbase2, branches, version, bits, time } as Omit<
      Work,
      "clean" | "difficulty"
    >),
    clean: clean === true,
    difficulty: 0, // So low that every hash is a share: nobody looks.
    height,
  };
}

/** Version 4, count 1, outpoint 36, length of the script 1; then the push of the height. */
const HEIGHT_AT = 2 * (4 + 1 + 36 + 1);
const HEIGHT_BYTES_MAX = 4;

/** The block height that a coinbase's first half begins its script with; undefined when it does not. */
export function heightOf(coinbase1: string): number | undefined {
  const length = Number.parseInt(coinbase1.slice(HEIGHT_AT, HEIGHT_AT + 2), 16);
  if (!(length >= 1 && length <= HEIGHT_BYTES_MAX)) return undefined;
  const bytes = Buffer.from(coinbase1.slice(HEIGHT_AT + 2, HEIGHT_AT + 2 + 2 * length), "hex");
  return bytes.length === length ? bytes.readUIntLE(0, length) : undefined;
}
