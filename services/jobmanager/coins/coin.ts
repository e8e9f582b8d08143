// A coin: what sets one chain apart from the next as far as work is concerned.
//
//   settings.coin -> coins/index -> Coin -> template rules, proof of work, address to script, which daemon to believe
//
// A preset is one small module beside this one. A coin without a preset is described in the configuration with the same words.

import type { ProofOfWorkName } from "../../../lib/contracts/index.js";

export type Network = "main" | "test" | "regtest";

/** How a network writes its addresses. */
export interface AddressFormat {
  /** Human-readable part of witness addresses, `ltc`. Absent: the coin has none. */
  readonly bech32?: string;
  /** Human-readable part of confidential (MWEB) addresses. A coinbase cannot pay to them. */
  readonly mweb?: string;
  /** Version bytes of base58 addresses. Litecoin has two for scripts. */
  readonly publicKeyHash: readonly number[];
  readonly scriptHash: readonly number[];
}

export interface CoinNetwork {
  /** What `getblockchaininfo` says as `chain`. */
  readonly chain: string;
  /** Block id of block 0 as explorers show it. Absent: not checked. */
  readonly genesis?: string;
  readonly address: AddressFormat;
}

export interface Coin {
  /** As jobs name it, at most 32 characters. */
  readonly name: string;
  readonly proofOfWork: ProofOfWorkName;
  /** The template rules we say we understand; a template that demands another one is refused. */
  readonly rules: readonly string[];
  readonly network: CoinNetwork;
}
