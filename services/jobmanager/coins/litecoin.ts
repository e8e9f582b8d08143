// Litecoin: scrypt, segwit, MWEB.
//
// Source of the constants: Litecoin Core 0.21, src/chainparams.cpp.

import type { Coin, CoinNetwork, Network } from "./coin.js";

const NETWORKS: Readonly<Record<Network, CoinNetwork>> = {
  main: {
    chain: "main",
    genesis: "12a765e31ffd4059bada1e25190f6e98c99d9714d334efa41a195a7e7e04bfe2",
    address: { bech32: "ltc", mweb: "ltcmweb", publicKeyHash: [0x30], scriptHash: [0x32, 0x05] },
  },
  test: {
    chain: "test",
    genesis: "4966625a4b2851d9fdee139e56211a0d88575f59ed816ff5e6a63deb4e3e29a0",
    address: { bech32: "tltc", mweb: "tmweb", publicKeyHash: [0x6f], scriptHash: [0x3a, 0xc4] },
  },
  regtest: {
    chain: "regtest",
    genesis: "530827f38f93b43ed12af0b3ad25a288dc02ed74d6d7857862df51fc56c416f9",
    address: { bech32: "rltc", mweb: "tmweb", publicKeyHash: [0x6f], scriptHash: [0x3a, 0xc4] },
  },
};

export const litecoin = (network: Network): Coin => ({
  name: "litecoin",
  proofOfWork: "scrypt",
  // Both are needed even before MWEB is active: without them the daemon answers error -8. The others change nothing for us.
  rules: ["mweb", "segwit", "csv", "taproot"],
  network: NETWORKS[network],
});
