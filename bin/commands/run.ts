// headframe run SERVICE...: one or several services in this process, until a signal.
//
//   SIGTERM, SIGINT -> drain (announce, finish) -> close in reverse -> natural exit        a second signal ends at once
//
// Services in one process call each other directly; everybody else finds them through discovery.

import type { CommandModule } from "yargs";
import { openHouse, type Running } from "../../lib/wiring/index.js";
import { type ConfigOptions, configOptions, readConfig } from "../config.js";
import { SERVICES, type ServiceName, serviceNames } from "../services.js";

/** What is not finished after this long is left to re-delivery. */
const DRAIN_MS = 10_000;
/** After closing, sockets get this long to end by themselves before the process ends anyway, and says so. */
const LINGER_MS = 5_000;

interface Arguments extends ConfigOptions {
  readonly service: readonly ServiceName[];
}

export const run: CommandModule<object, Arguments> = {
  command: "run <service...>",
  describe: "Run services in this process until it gets SIGTERM or Ctrl-C",
  builder: (yargs) =>
    yargs
      .positional("service", { choices: serviceNames, array: true, demandOption: true, describe: "Which to run" })
      .options(configOptions)
      .example("headframe run stratum --config headframe.toml", "one instance of stratum")
      .example("headframe run jobmanager reporter --config headframe.toml", "two services in one process"),
  handler: async (args) => {
    const config = readConfig(args);
    const house = await openHouse({ ...config.house, log: { ...config.house.log, name: args.service.join("+") } });
    const running: Running[] = [];
    const signal = nextSignal();
    try {
      for (const name of args.service) running.push(await SERVICES[name](house, config));
      house.log.info({ services: args.service }, "running");
      house.log.info({ signal: await signal }, "stopping");
      await Promise.all(running.map((service) => service.drain(DRAIN_MS)));
    } finally {
      for (const service of running.reverse()) await service.close();
      await house.close();
    }
    setTimeout(() => {
      house.log.warn({ lingerMs: LINGER_MS }, "something kept the process alive after closing; ending it");
      process.exit(1);
    }, LINGER_MS).unref();
  },
};

function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const names: NodeJS.Signals[] = ["SIGTERM", "SIGINT"];
    let seen = false;
    for (const name of names) {
      process.on(name, () => {
        if (seen) process.exit(1); // Asked twice: somebody is in a hurry, and re-delivery covers what is lost here.
        seen = true;
        resolve(name);
      });
    }
  });
}
