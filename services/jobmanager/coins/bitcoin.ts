// Bitcoin: sha256d, segwit.
//
// Source of the constants: Bitcoin Core, src/kernel/chainparams.cpp.

import type { Coin, CoinNetwork, Network } from "./coin.js";

const NETWORKS: Readonly<Record<Network, CoinNetwork>> = {
  main: {
    chain: "main",
    genesis: "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
    address: { bech32: "bc", publicKeyHash: [0x00], scriptHash: [0x05] },
  },
  test: {
    chain: "test",
    genesis: "000000000933ea01ad0ee984209779baaec3ced90fa3f408719526f8d77f4943",
    address: { bech32: "tb", publicKeyHash: [0x6f], scriptHash: [0xc4] },
  },
  regtest: {
    chain: "regtest",
    genesis: "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206",
    address: { bech32: "bcrt", publicKeyHash: [0x6f], scriptHash: [0xc4] },
  },
};

export const bitcoin = (network: Network): Coin => ({
  name: "bitcoin",
  proofOfWork: "sha256d",
  rules: ["segwit", "csv", "taproot"],
  network: NETWORKS[network],
});
