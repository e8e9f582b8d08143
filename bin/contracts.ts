// The contracts that the command line can speak, by service name.

import { miner } from "../demo/miner/contract.js";
import { dashboard, edge, haproxy, jobmanager, reporter, stratum } from "../lib/contracts/index.js";
import type { Contract } from "../lib/wiring/index.js";

export const CONTRACTS: Readonly<Record<string, Contract>> = {
  ...{ jobmanager, stratum, reporter, edge, haproxy, dashboard, miner },
};
