// headframe doctor: looks at everything that a pool stands on, and says of each thing that is wrong which command mends it.
//
//   this machine, Redis, the daemons, the running services --> findings --> exit code 1 when something is wrong

import type { CommandModule } from "yargs";
import { Haproxy, haproxyPaths } from "../../haproxy/index.js";
import { type Instance, type OpenedHouse, openHouse, packageVersion, Registry } from "../../lib/wiring/index.js";
import { type Config, type ConfigOptions, configOptions, readConfig } from "../config.js";
import { askDaemon, judgeDaemons } from "../doctor/daemons.js";
import { bad, drawFindings, type Finding, warning } from "../doctor/finding.js";
import * as machine from "../doctor/machine.js";
import { askRedis, judgeRedis } from "../doctor/redis.js";
import { askServices, findUnreachable, judgeInstances, neededBy } from "../doctor/services.js";
import { toJson } from "../json.js";
import { readLastKnown, socketFolders } from "../manage/last-known.js";
import { patiently } from "../patience.js";
import { REDIS_REFUSED_MS } from "../visit.js";

interface Arguments extends ConfigOptions {
  readonly json: boolean;
}

/** Something is wrong: the findings were printed, this is for the exit code. */
export class Unwell extends Error {
  override readonly name = "Unwell";
}

export const doctor: CommandModule<object, Arguments> = {
  command: "doctor",
  describe: "Check versions, limits, ports, Redis, daemons, clocks and services; print how to fix each problem",
  builder: (yargs) =>
    yargs.options({
      ...configOptions,
      json: { type: "boolean", default: false, describe: "Print an array of findings as JSON" },
    }),
  handler: async (args) => {
    const config = readConfig(args);
    const findings = await patiently("all checks", examine(config));
    const colours = process.stdout.isTTY && process.stdout.hasColors();
    process.stdout.write(args.json ? `${toJson(findings)}\n` : drawFindings(findings, colours));
    const wrong = findings.filter(({ verdict }) => verdict === "bad").length;
    if (wrong > 0) throw new Unwell(`${wrong} ${wrong === 1 ? "error" : "errors"} found`);
  },
};

async function examine(config: Config): Promise<Finding[]> {
  const limits = machine.openFileLimits();
  const own = [
    machine.judgeNode(process.versions.node),
    ...machine.judgeConfigFile(config),
    ...(limits ? [machine.judgeFiles(limits, config.haproxy.connectionsMax)] : []),
    await machine.checkHaproxyProgram(config.haproxy.program),
    ...(await machine.checkSpoolDisk(config)),
  ];
  const [redis, daemons] = await Promise.all([examineHouse(config), examineDaemons(config)]);
  const ports = config.haproxy.listeners.map(({ host, port }) => machine.checkPort(host, port, redis.haproxyRuns));
  return [...own, ...(await Promise.all(ports)), ...redis.findings, ...daemons, ...redis.services];
}

async function examineDaemons({ jobmanager, edge }: Config): Promise<Finding[]> {
  if (!jobmanager) {
    if (edge.backend !== "stratum") return []; // Not a pool.
    const how = "headframe config init --address ADDRESS    writes one; `npm start` needs none";
    return [warning("daemons", "the configuration has no [jobmanager]: no pool can start on it", how)];
  }
  const facts = await Promise.all(jobmanager.daemons.map(askDaemon));
  return judgeDaemons(facts, jobmanager.network === "regtest");
}

interface ExaminedHouse {
  readonly findings: Finding[];
  readonly services: Finding[];
  readonly haproxyRuns: boolean;
}

/** With Redis away, the instances last known are asked all the same. */
async function examineHouse(config: Config): Promise<ExaminedHouse> {
  const settings = { ...config.house, log: { level: "silent", name: "doctor" } } as const;
  const known = readLastKnown(config);
  const house = await openHouse(settings, { lastKnown: known?.instances ?? [], redisRefusedMs: REDIS_REFUSED_MS });
  try {
    return await examineOpen(house, config, known?.instances ?? []);
  } finally {
    await house.close();
  }
}

async function examineOpen(house: OpenedHouse, config: Config, known: readonly Instance[]): Promise<ExaminedHouse> {
  const refused = house.redisRefused;
  const how = config.file === undefined ? "npm start, or redis-server and headframe config init" : "redis-server";
  const findings = refused ? [bad("redis", refused.message, how)] : await examineRedis(house);
  const instances = refused ? known : await listed(house);
  const said = instances.length > 0 ? await askServices(house) : [];
  const unreachable = await findUnreachable(house, instances);
  const files = machine.judgeRunning(instances, config.edge.connectionsMax);
  const judged = refused && instances.length === 0 ? [] : judgeInstances(instances, packageVersion, neededBy(config));
  return {
    findings,
    services: [...judged, ...unreachable, ...files, ...said],
    haproxyRuns: instances.some(({ service }) => service === "haproxy") || (await ownHaproxyRuns(config)),
  };
}

async function examineRedis(house: OpenedHouse): Promise<Finding[]> {
  const places = new Map([house.redis.discovery, house.redis.state, house.redis.shares].map((it) => [it, it]));
  const roles = (it: unknown) =>
    (["discovery", "state", "shares"] as const).filter((role) => house.redis[role] === it).join(", ");
  const findings: Finding[] = [];
  for (const redis of places.keys()) {
    const what = places.size === 1 ? "redis" : `redis (${roles(redis)})`;
    findings.push(...judgeRedis(what, await askRedis(redis)));
  }
  return findings;
}

async function listed({ redis, cluster }: OpenedHouse): Promise<readonly Instance[]> {
  const registry = Registry.open({ redis: redis.discovery, cluster });
  return registry.list().finally(() => registry.close());
}

/** An HAProxy that answers at our own sockets is no stranger on our ports, whatever discovery says. */
async function ownHaproxyRuns(config: Config): Promise<boolean> {
  for (const folder of socketFolders(config)) {
    try {
      await Haproxy.at(config.haproxy, haproxyPaths(folder)).masterView();
      return true;
    } catch {
      // None there.
    }
  }
  return false;
}
