// From an address to the script that a coinbase pays: the place where a typing mistake would burn a whole reward.
//
//   A1. An address of another network or coin, or with a wrong checksum, is refused by name, never paid.
//
// Sources: BIP 173 and BIP 350 (bech32, bech32m), Bitcoin's base58check; the scripts are the standard ones.

import { bech32, bech32m } from "bech32";
import bs58check from "bs58check";
import type { AddressFormat, Coin } from "./coin.js";

const OP_0 = 0x00;
const OP_1 = 0x51;
const WITNESS_VERSION_MAX = 16;
const HASH160_BYTES = 20;

/**
 * The output script that pays to `address` on the coin's network.
 *
 * @throws {Error} saying what is wrong with the address and which forms the network takes.
 */
export function scriptOfAddress(address: string, coin: Coin): Buffer {
  const format = coin.network.address;
  const separator = address.lastIndexOf("1");
  const prefix = separator > 0 ? address.slice(0, separator).toLowerCase() : "";
  if (format.mweb !== undefined && prefix === format.mweb) {
    throw new Error(`${address} is an MWEB address: a coinbase cannot pay to one. Use ${accepted(coin)}`);
  }
  if (format.bech32 !== undefined && prefix === format.bech32) return witnessScript(address, coin);
  return base58Script(address, coin);
}

function witnessScript(address: string, coin: Coin): Buffer {
  const decoded = decodeBech32(address);
  if (!decoded) throw new Error(`${address} has a wrong checksum: compare it with the wallet's`);
  const [version, ...words] = decoded.words;
  const program = wordsToBytes(words);
  if (version === undefined || version > WITNESS_VERSION_MAX || !program || !isProgram(version, program)) {
    throw new Error(`${address} holds no usable witness program. Use ${accepted(coin)}`);
  }
  // BIP 350: version 0 has the first checksum constant, all later versions the second one.
  if ((version === 0) !== (decoded.encoding === "bech32")) {
    throw new Error(`${address} has the checksum of another address form: compare it with the wallet's`);
  }
  return Buffer.from([version === 0 ? OP_0 : OP_1 + version - 1, program.length, ...program]);
}

function decodeBech32(address: string): { words: number[]; encoding: "bech32" | "bech32m" } | undefined {
  const plain = bech32.decodeUnsafe(address);
  if (plain) return { words: plain.words, encoding: "bech32" };
  const modified = bech32m.decodeUnsafe(address);
  return modified && { words: modified.words, encoding: "bech32m" };
}

const wordsToBytes = (words: number[]): number[] | undefined => bech32.fromWordsUnsafe(words);

/** BIP 141: 2 to 40 bytes; version 0 is a key hash (20) or a script hash (32). */
const isProgram = (version: number, program: number[]): boolean =>
  version === 0 ? program.length === 20 || program.length === 32 : program.length >= 2 && program.length <= 40;

function base58Script(address: string, coin: Coin): Buffer {
  const payload = bs58check.decodeUnsafe(address);
  const format = coin.network.address;
  const [version, ...hash] = payload ?? [];
  if (version === undefined || hash.length !== HASH160_BYTES) {
    throw new Error(`${address} is no address of ${coin.name} ${coin.network.chain}. Use ${accepted(coin)}`);
  }
  if (format.publicKeyHash.includes(version)) {
    return Buffer.from([0x76, 0xa9, HASH160_BYTES, ...hash, 0x88, 0xac]); // DUP HASH160 <hash> EQUALVERIFY CHECKSIG
  }
  if (format.scriptHash.includes(version)) return Buffer.from([0xa9, HASH160_BYTES, ...hash, 0x87]); // HASH160 <hash> EQUAL
  throw new Error(
    `${address} belongs to another network (version byte ${version}); this pool mines ${coin.name} ${coin.network.chain}. ` +
      `Use ${accepted(coin)}`,
  );
}

function accepted(coin: Coin): string {
  const { bech32: prefix, publicKeyHash, scriptHash }: AddressFormat = coin.network.address;
  const base58 = `a base58 address with version byte ${[...publicKeyHash, ...scriptHash].join(", ")}`;
  return prefix === undefined ? base58 : `an address that begins with ${prefix}1, or ${base58}`;
}
