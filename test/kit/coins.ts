// coins: many transactions in a litecoind's mempool, cheaply. The wallet's own choice of coins takes a tenth of a second each.

import { z } from "zod";
import { mine, newAddress } from "../../demo/regtest.js";
import type { LitecoindPair } from "./litecoind.js";

const VALUE = 0.01;
const FEE = 0.0001;
const unspent = z.object({ txid: z.string(), vout: z.number().optional(), amount: z.number() });
export interface Coin {
  readonly txid: string;
  readonly vout: number;
}

/** `count` witness coins of A's wallet, each in an output of its own, confirmed. */
export async function splitCoins({ a: { rpc }, payoutAddress }: LitecoindPair, count: number): Promise<Coin[]> {
  const outputs: Record<string, number> = {};
  for (let i = 0; i < count; i++) outputs[await newAddress(rpc, "bech32")] = VALUE;
  await rpc.call("sendmany", ["", outputs], z.string());
  await mine(rpc, payoutAddress, 1);
  const coins = await rpc.call("listunspent", [1], z.array(unspent));
  // Confidential coins are listed too; they have no output number.
  return coins.flatMap(({ txid, vout, amount }) => (amount === VALUE && vout !== undefined ? [{ txid, vout }] : []));
}

/** One transaction that spends one coin, into the mempool. */
export async function spend({ a: { rpc } }: LitecoindPair, { txid, vout }: Coin, address: string): Promise<void> {
  const raw = await rpc.call("createrawtransaction", [[{ txid, vout }], { [address]: VALUE - FEE }], z.string());
  const { hex } = await rpc.call("signrawtransactionwithwallet", [raw], z.object({ hex: z.string() }));
  await rpc.call("sendrawtransaction", [hex], z.string());
}
