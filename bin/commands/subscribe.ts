// headframe subscribe SERVICE PUSH: what every instance of a service pushes, one JSON object a line, until Ctrl-C.

import type { CommandModule } from "yargs";
import type { Client, Contract } from "../../lib/wiring/index.js";
import { type ConfigOptions, configOptions, readConfig } from "../config.js";
import { contractOptions, findContract } from "../contracts.js";
import { UsageError } from "../failure.js";
import { toJson } from "../json.js";
import { untilAsked } from "../until-asked.js";
import { visit } from "../visit.js";

interface Arguments extends ConfigOptions {
  readonly service: string;
  readonly contract: string | undefined;
  readonly push: string;
  readonly count: number | undefined;
}

export const subscribe: CommandModule<object, Arguments> = {
  command: "subscribe <service> <push>",
  describe: "Print what all instances of a service push, as JSON lines",
  builder: (yargs) =>
    yargs
      .positional("service", { type: "string", demandOption: true, describe: "Service name" })
      .positional("push", { type: "string", demandOption: true, describe: "Push name" })
      .options({
        ...configOptions,
        ...contractOptions,
        count: { alias: "n", type: "number", requiresArg: true, describe: "Exit after this many messages" },
      })
      .example("headframe subscribe jobmanager job", "the current job, then each new one")
      .example("headframe subscribe reporter block -n 1", "wait for the next block or status change"),
  handler: async (args) => {
    const contract = await findContract(args.service, args.contract);
    const pushes = Object.keys(contract.pushes);
    if (!pushes.includes(args.push)) {
      const has = pushes.length > 0 ? `it has ${pushes.join(", ")}` : "it has none";
      throw new UsageError(`${contract.service} has no push ${args.push}; ${has}`);
    }
    if (args.count !== undefined && !(args.count >= 1)) throw new UsageError("--count takes a number from 1 on");
    const asked = untilAsked(); // Instances may come later: none is no failure.
    await visit(readConfig(args), (house) => listen(house.nexus.client(contract), args, asked));
  },
};

function listen(client: Client<Contract>, { service, push, count }: Arguments, asked: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    let left = count ?? Number.POSITIVE_INFINITY;
    const end = () => {
      subscription.close();
      resolve();
    };
    const told = (text: string) => process.stderr.write(`${text}\n`);
    const subscription = client.subscribe(push, {
      onMessage: (message, { instance, sequence }) => {
        if (left-- <= 0) return;
        process.stdout.write(`${toJson({ instance: instance.id, sequence, message }, 0)}\n`);
        if (left <= 0) end();
      },
      onGap: (from, { expected, received }) => void told(`${from.id}: ${received - expected} messages were lost`),
      onLeave: (from, reason) => void told(`${from.id} ${reason === "left" ? "left" : "is gone"}`),
    });
    if (client.instances().length === 0 && process.stderr.isTTY) told(`waiting for instances of ${service}`);
    asked.addEventListener("abort", end, { once: true });
    if (asked.aborted) end();
  });
}
