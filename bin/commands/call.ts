// headframe call SERVICE METHOD [JSON]: one call, as any service would make it; the reply as JSON.

import type { CommandModule } from "yargs";
import { z } from "zod";
import { issueLines } from "../../lib/config/index.js";
import { messageOf } from "../../lib/thrown.js";
import { type Client, type Contract, instanceId } from "../../lib/wiring/index.js";
import { type ConfigOptions, configOptions, readConfig } from "../config.js";
import { contractOptions, findContract } from "../contracts.js";
import { UsageError } from "../failure.js";
import { toJson } from "../json.js";
import { patiently } from "../patience.js";
import { consult, consultAll, visit } from "../visit.js";

interface Arguments extends ConfigOptions {
  readonly service: string;
  readonly contract: string | undefined;
  readonly method: string;
  readonly request: string;
  readonly to: string | undefined;
  readonly all: boolean;
  readonly timeout: number;
}

export const call: CommandModule<object, Arguments> = {
  command: "call <service> <method> [request]",
  describe: "Call a method of a running service and print the reply as JSON",
  builder: (yargs) =>
    yargs
      .positional("service", { type: "string", demandOption: true, describe: "Service name" })
      .positional("method", { type: "string", demandOption: true, describe: "Method name" })
      .positional("request", { type: "string", default: "{}", describe: "Request as JSON" })
      .options({
        ...configOptions,
        ...contractOptions,
        to: { type: "string", describe: "Call only this instance (see `headframe ps`)" },
        all: { type: "boolean", default: false, describe: "Call every live instance in turn" },
        timeout: { type: "number", default: 5_000, describe: "Milliseconds to wait for a reply" },
      })
      .conflicts("to", "all")
      .example("headframe call jobmanager status", "which daemons it uses, which job it made last")
      .example("headframe call reporter workers '{\"limit\":5}'", "five workers"),
  handler: async (args) => {
    if (!(args.timeout > 0)) throw new UsageError("--timeout takes a number of milliseconds above 0");
    const contract = await findContract(args.service, args.contract);
    const request = checkRequest(contract, args.method, args.request);
    const ask = async (client: Client<Contract>) => {
      for (const to of targets(client, args)) {
        const options = { timeoutMs: args.timeout, ...(to ? { to } : {}) };
        const reply = await patiently(`an answer of ${args.service}`, client.call(args.method, request, options));
        process.stdout.write(`${toJson(args.all ? { instance: to, reply } : reply)}\n`);
      }
    };
    await visit(readConfig(args), (house) => (args.all ? consultAll : consult)(house, contract, ask, args.timeout));
  },
};

function targets(client: Client<Contract>, args: Arguments) {
  if (args.all) return client.instances().map((instance) => instance.id);
  return [args.to === undefined ? undefined : instanceId.parse(args.to)];
}

function checkRequest(contract: Contract, name: string, text: string): unknown {
  const spec = Object.hasOwn(contract.methods, name) ? contract.methods[name] : undefined;
  if (!spec) {
    throw new UsageError(
      `${contract.service} has no method ${name}; it has ${Object.keys(contract.methods).join(", ")}`,
    );
  }
  const schema = () => JSON.stringify(z.toJSONSchema(spec.request, { unrepresentable: "any", io: "input" }), null, 2);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    const why = messageOf(error);
    throw new UsageError(`the request is not valid JSON (${why}); ${name} takes\n${schema()}`);
  }
  const parsed = spec.request.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new UsageError(
    `the request does not fit:\n${issueLines(parsed.error.issues).join("\n")}\n${name} takes\n${schema()}`,
  );
}
