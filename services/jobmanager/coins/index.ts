// Which coin a configuration means: a preset by name, or one described in full.

import { bitcoin } from "./bitcoin.js";
import type { Coin, Network } from "./coin.js";
import { litecoin } from "./litecoin.js";

/** The presets by the name an operator writes. */
export const PRESETS = ["litecoin", "bitcoin"] as const;
export const NETWORKS = ["main", "test", "regtest"] as const satisfies readonly Network[];
export type Preset = (typeof PRESETS)[number];

/** A coin without a preset, as the configuration describes it. It describes one network: the one in use. */
export interface CustomCoin {
  readonly name: string;
  readonly proofOfWork: Coin["proofOfWork"];
  readonly rules: readonly string[];
  readonly chain: string;
  readonly genesis?: string | undefined;
  readonly address: {
    readonly bech32?: string | undefined;
    readonly mweb?: string | undefined;
    readonly publicKeyHash: readonly number[];
    readonly scriptHash: readonly number[];
  };
}

const MAKERS: Readonly<Record<Preset, (network: Network) => Coin>> = { litecoin, bitcoin };

export const coinOf = (coin: Preset | CustomCoin, network: Network): Coin =>
  typeof coin === "string" ? MAKERS[coin](network) : customCoin(coin);

function customCoin({ name, proofOfWork, rules, chain, genesis, address }: CustomCoin): Coin {
  const { bech32, mweb, publicKeyHash, scriptHash } = address;
  return {
    name,
    proofOfWork,
    rules,
    network: {
      chain,
      ...(genesis === undefined ? {} : { genesis }),
      address: {
        publicKeyHash,
        scriptHash,
        ...(bech32 === undefined ? {} : { bech32 }),
        ...(mweb === undefined ? {} : { mweb }),
      },
    },
  };
}

export { scriptOfAddress } from "./address.js";
export type { AddressFormat, Coin, CoinNetwork, Network } from "./coin.js";
