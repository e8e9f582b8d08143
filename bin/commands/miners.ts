// headframe miners [MATCH]: who is connected, as the stratum instances that serve them see it.
//
//   every stratum instance --miners(match), page by page--> one list, fastest first

import type { CommandModule } from "yargs";
import { type Miner, minerField, type StratumContract, stratum } from "../../lib/contracts/index.js";
import type { Client, Instance, ReplyOf, RequestOf } from "../../lib/wiring/index.js";
import { type ConfigOptions, configOptions, readConfig } from "../config.js";
import { drawMiner, drawMiners } from "../draw/tables.js";
import { UsageError } from "../failure.js";
import { toJson } from "../json.js";
import { patiently } from "../patience.js";
import { ANSWER_MS, consultAll, visit } from "../visit.js";

interface Arguments extends ConfigOptions {
  readonly match: string | undefined;
  readonly by: Search["by"];
  readonly limit: number;
  readonly json: boolean;
}

interface Search {
  readonly match: string | undefined;
  readonly by: "worker" | "address" | "connection" | undefined;
  /** Of all instances together. */
  readonly limit: number;
}

export type ServedMiner = Miner & { readonly instance: string };

/** More than a person reads, and no more than a program should be given at once. */
const LIMIT_MAX = 100_000;
const PAGE = 1_000;

export const miners: CommandModule<object, Arguments> = {
  command: "miners [match]",
  describe: "List connected miners: difficulty, hashrate, last share, rejects by reason; a single match in detail",
  builder: (yargs) =>
    yargs
      .positional("match", { type: "string", describe: "Part of a worker's name, an address or a connection id" })
      .options({
        ...configOptions,
        by: { choices: minerField.options, describe: "Match only this field" },
        limit: { type: "number", default: 100, requiresArg: true, describe: "Maximum number of miners" },
        json: { type: "boolean", default: false, describe: "Print an array of miners as JSON" },
      })
      .example("headframe miners alice", "all connections with alice in worker, address or id")
      .example("headframe miners 10.0.0.7 --by address", "those of one address"),
  handler: async (args) => {
    const { match, by, limit, json } = args;
    if (!(limit >= 1 && limit <= LIMIT_MAX)) throw new UsageError(`--limit takes a number from 1 to ${LIMIT_MAX}`);
    await visit(readConfig(args), async (house) => {
      const found = await consultAll(house, stratum, (client) =>
        patiently("the stratum instances", findMiners(client, { match, by, limit })),
      );
      const sorted = found.sort((a, b) => b.hashrate - a.hashrate).slice(0, limit);
      if (json) process.stdout.write(`${toJson(sorted)}\n`);
      else process.stdout.write(draw(sorted, match));
    });
  },
};

/** One that was looked for is shown in full. */
function draw(found: readonly ServedMiner[], match: string | undefined): string {
  const [only, ...others] = found;
  const now = Date.now();
  return only && others.length === 0 && match !== undefined ? drawMiner(only, now) : drawMiners(found, now);
}

/** Of each instance at most `limit`. */
export async function findMiners(client: Client<StratumContract>, search: Search): Promise<ServedMiner[]> {
  const serving = client.instances().filter(({ state }) => state !== "starting");
  return newestOnly((await Promise.all(serving.map((instance) => minersOf(client, instance, search)))).flat());
}

/** A connection that moves while it is looked for is listed by two instances: the one that has had it for less long has it now. */
export function newestOnly(found: readonly ServedMiner[]): ServedMiner[] {
  const byConnection = new Map<string, ServedMiner>();
  for (const miner of found) {
    const other = byConnection.get(miner.connection);
    if (!other || other.servedSince < miner.servedSince) byConnection.set(miner.connection, miner);
  }
  return [...byConnection.values()];
}

async function minersOf(client: Client<StratumContract>, { id }: Instance, search: Search): Promise<ServedMiner[]> {
  const found: ServedMiner[] = [];
  const { match, by } = search;
  const filter = { ...(match !== undefined && { match }), ...(by !== undefined && { by }) };
  for (let after: number | undefined = 0; after !== undefined && found.length < search.limit; ) {
    const limit = Math.min(PAGE, search.limit - found.length);
    const request: RequestOf<StratumContract, "miners"> = { ...filter, limit, after };
    const page: ReplyOf<StratumContract, "miners"> = await client.call("miners", request, {
      to: id,
      timeoutMs: ANSWER_MS,
    });
    found.push(...page.miners.map((miner) => ({ ...miner, instance: id })));
    after = page.next;
  }
  return found;
}
