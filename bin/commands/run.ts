// headframe run SERVICE...: one or several services in this process, until a signal.
//
//   SIGTERM, SIGINT -> drain (announce, finish) -> close in reverse -> natural exit        a second signal ends at once
//   ... while a service still opens (what it needs is away): it is given up, the others end as always
//
// Services in one process call each other directly; everybody else finds them through discovery. A service that is a file is one of
// your own (bin/own-service.ts).

import type { CommandModule } from "yargs";
import { nearest } from "../../lib/config/index.js";
import { type House, openHouse, type Running } from "../../lib/wiring/index.js";
import { type Config, type ConfigOptions, configOptions, readConfig } from "../config.js";
import { UsageError } from "../failure.js";
import { METRIC_TABLES } from "../metrics.js";
import { isOwn, loadOwn } from "../own-service.js";
import { SERVICES, type ServiceName, serviceNames } from "../services.js";

/** What is not finished after this long is left to re-delivery. */
const DRAIN_MS = 10_000;
/** After closing, sockets get this long to end by themselves before the process ends anyway, and says so. */
const LINGER_MS = 5_000;

interface Arguments extends ConfigOptions {
  readonly service: readonly string[];
}

export const run: CommandModule<object, Arguments> = {
  command: "run <service...>",
  describe: "Run one or more services in this process until SIGTERM or Ctrl-C",
  builder: (yargs) =>
    yargs
      .positional("service", {
        type: "string",
        array: true,
        demandOption: true,
        describe: `${serviceNames.join(", ")}; or the path of your own module (./dist/talk.js)`,
      })
      .options(configOptions)
      .example("headframe run stratum --config headframe.toml", "one instance of stratum")
      .example("headframe run jobmanager reporter --config headframe.toml", "two services in one process")
      .example("headframe run ./dist/talk.js --config headframe.toml", "a service of your own"),
  handler: async (args) => {
    const config = readConfig(args);
    const services = await Promise.all(args.service.map((name) => find(name, config, args)));
    const names = services.map(({ name }) => name);
    const settings = { ...config.house, log: { ...config.house.log, name: names.join("+") } };
    const version = services.find((service) => service.version !== undefined)?.version;
    const house = await openHouse(settings, {
      ...{ probe: true, tables: Object.values(METRIC_TABLES) },
      ...(version === undefined ? {} : { version }),
    });
    const running: Running[] = [];
    const signal = nextSignal();
    let opened = false;
    try {
      opened = await openAll(services, { house, running, signal });
      if (opened) house.log.info({ services: names }, "running");
      house.log.info({ signal: await signal, opened }, "stopping");
      if (!opened) endIn(LINGER_MS, house); // What is half open may hold a close, too.
      await Promise.all(running.map((service) => service.drain(DRAIN_MS)));
    } finally {
      for (const service of running.reverse()) await service.close();
      await house.close();
    }
    if (!opened) process.exit(0); // What was given up would go on.
    endIn(LINGER_MS, house);
  },
};

interface Opening {
  readonly house: House;
  /** Gets each as it is open. */
  readonly running: Running[];
  readonly signal: Promise<NodeJS.Signals>;
}

/** False: a signal came first. */
async function openAll(services: readonly Found[], { house, running, signal }: Opening): Promise<boolean> {
  for (const { name, open } of services) {
    const opening = open(house);
    const first = await Promise.race([opening, signal]);
    if (typeof first === "string") {
      opening.catch((error: unknown) => house.log.info({ service: name, err: error }, "given up while it opened"));
      return false;
    }
    running.push(first);
  }
  return true;
}

/** Unless nothing holds the process before that. */
function endIn(lingerMs: number, house: House): void {
  setTimeout(() => {
    house.log.warn({ lingerMs }, "something kept the process alive after closing; ending it");
    process.exit(1);
  }, lingerMs).unref();
}

interface Found {
  readonly name: string;
  /** Only of a service of one's own. */
  readonly version?: string | undefined;
  open(house: House): Promise<Running>;
}

/** Before anything is opened: a wrong name costs no more than its message. */
async function find(service: string, config: Config, options: ConfigOptions): Promise<Found> {
  if (isOwn(service)) return loadOwn(service, options);
  const name = serviceNames.find((known): known is ServiceName => known === service);
  if (name) return { name, open: (house) => SERVICES[name](house, config) };
  const near = nearest(service, serviceNames);
  throw new UsageError(
    `there is no service ${service}; ${near ? `did you mean ${near}? There are` : "there are"} ${serviceNames.join(", ")}. A file of your own needs its path: ./${service}.js`,
  );
}

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
