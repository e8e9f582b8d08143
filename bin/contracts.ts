// The contracts that the command line can speak, by service name: the pool's own, and those of a module that is named.
//
//   SERVICE [--contract FILE] --> findContract --> the contract, or what there is instead

import { z } from "zod";
import { miner } from "../demo/miner/contract.js";
import { nearest } from "../lib/config/index.js";
import { dashboard, edge, haproxy, jobmanager, reporter, stratum } from "../lib/contracts/index.js";
import type { Contract } from "../lib/wiring/index.js";
import { UsageError } from "./failure.js";
import { loadModule } from "./own-module.js";

export const CONTRACTS: Readonly<Record<string, Contract>> = {
  ...{ jobmanager, stratum, reporter, edge, haproxy, dashboard, miner },
};

/** For commands that speak any service's contract. */
export const contractOptions = {
  contract: {
    type: "string",
    requiresArg: true,
    describe: "Module (.js) that exports the contract of your own service",
  },
} as const;

const isType = z.custom<z.ZodType>((it) => it instanceof z.ZodType, "expected a zod schema");
const contractShape = z.object({
  service: z.string(),
  methods: z.record(z.string(), z.looseObject({ request: isType, reply: isType })),
  pushes: z.record(z.string(), z.looseObject({ message: isType })),
});
const isContract = (it: unknown): it is Contract => contractShape.safeParse(it).success;

/** @throws {UsageError} which says what there is instead. */
export async function findContract(service: string, file: string | undefined): Promise<Contract> {
  const own = file === undefined ? [] : await contractsIn(file);
  const known = new Map([...Object.values(CONTRACTS), ...own].map((contract) => [contract.service, contract]));
  const contract = known.get(service);
  if (contract) return contract;
  const near = nearest(service, known.keys());
  const hint =
    file === undefined ? " One of your own needs --contract FILE, the module that exports its contract." : "";
  throw new UsageError(
    `there is no service ${service}; ${near ? `did you mean ${near}? There are` : "there are"} ${[...known.keys()].sort().join(", ")}.${hint}`,
  );
}

async function contractsIn(file: string): Promise<readonly Contract[]> {
  const found = Object.values(await loadModule(file)).filter(isContract);
  if (found.length > 0) return found;
  throw new UsageError(`${file} exports no contract: export what defineContract or lineBackend made`);
}
