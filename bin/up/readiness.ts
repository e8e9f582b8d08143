// Readiness: what a process has to show before the process manager counts on it, and stops the one that it replaces.
//
//   in discovery? -> ready there? -> does it answer a cheap call?          each "not yet" is told, for the report
//
// An instance says `ready` in discovery only when it can work (a jobmanager and a stratum with a job in hand), so nothing else is
// known here about services. A version that answers nonsense, or not at all, is refused by its first call; one of a service that is not
// ours is asked what every instance answers (bin/reach.ts), so no contract is needed to see that nobody can talk to it.

import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "../../lib/thrown.js";
import { type Client, type Contract, type House, type Instance, WiringError } from "../../lib/wiring/index.js";
import { CONTRACTS } from "../contracts.js";
import { Reach } from "../reach.js";

const LOOK_EVERY_MS = 50;
const ANSWER_MS = 2_000;
/** Of every contract: cheap, answered while Redis is away, too, and it goes through all of the wiring: framing, keys, schemas. */
const CHEAP = "status";

export interface ReadinessOptions {
  readonly house: House;
  /** What Redis lists right now. */
  list(service: string): Promise<readonly Instance[]>;
  /** Ends the wait. */
  readonly signal: AbortSignal;
  waitsFor(what: string): void;
}

/**
 * Resolves when `service` has an instance that `isIt` and that answers.
 *
 * @throws when `signal` is aborted.
 */
export async function untilServing(
  service: string,
  isIt: (instance: Instance) => boolean,
  options: ReadinessOptions,
): Promise<Instance> {
  const { signal, waitsFor, house } = options;
  const contract = CONTRACTS[service];
  const client = contract && house.nexus.client(contract); // For the whole wait: a link takes its time to come up.
  const reach = new Reach(house);
  try {
    for (;;) {
      const look = await lookOnce(service, isIt, options.list, client ?? reach);
      if (typeof look !== "string") return look;
      waitsFor(look);
      await delay(LOOK_EVERY_MS, undefined, { signal });
    }
  } finally {
    await client?.close();
    await reach.close();
  }
}

/** The instance that serves, or what is missing. */
async function lookOnce(
  service: string,
  isIt: (instance: Instance) => boolean,
  list: ReadinessOptions["list"],
  asker: Client<Contract> | Reach,
): Promise<Instance | string> {
  let found: Instance | undefined;
  try {
    found = (await list(service)).find(isIt);
  } catch (error) {
    return `discovery: ${messageOf(error)}`; // Redis comes back.
  }
  if (!found) return `${service} in discovery`;
  if (found.state !== "ready") return `${found.id} to be ready; discovery has it as ${found.state}`;
  return (asker instanceof Reach ? await reachIt(asker, found) : await askIt(asker, found)) ?? found;
}

/** Undefined: it answered. */
async function reachIt(reach: Reach, found: Instance): Promise<string | undefined> {
  const why = await reach.of(found, ANSWER_MS);
  return why === undefined ? undefined : `an answer of ${found.id}: ${why}`;
}

/** Undefined: it answered, and its answer fits the contract. */
async function askIt(client: Client<Contract>, { id }: Instance): Promise<string | undefined> {
  try {
    await client.call(CHEAP, {}, { to: id, timeoutMs: ANSWER_MS });
    return undefined;
  } catch (error) {
    if (!(error instanceof WiringError)) throw error;
    return `an answer of ${id} to ${CHEAP}: ${error.message}`;
  }
}
