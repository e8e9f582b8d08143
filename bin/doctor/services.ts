// The running services: is each there, twice where that is wise, of one version, and content with what it has?
//
//   discovery, reporter.status, jobmanager.status, haproxy.status --> findings

import { haproxy, jobmanager, reporter } from "../../lib/contracts/index.js";
import { type Contract, type House, type Instance, type MethodName, WiringError } from "../../lib/wiring/index.js";
import type { Config } from "../config.js";
import { Reach } from "../reach.js";
import { bad, type Finding, good, warning } from "./finding.js";

const ANSWER_MS = 3_000;

/** Without them no miner is served. */
const POOL: Readonly<Record<string, number>> = { jobmanager: 2, stratum: 2, reporter: 2, edge: 1, haproxy: 1 };

/** What an installation needs, by its configuration: a pool, or a service of one's own behind the edge. */
export function neededBy({ jobmanager, edge }: Pick<Config, "jobmanager" | "edge">): Readonly<Record<string, number>> {
  return jobmanager || edge.backend === "stratum" ? POOL : { [edge.backend]: 2, edge: 1, haproxy: 1 };
}

/** Pure. Nothing runs: that is no fault before a start. */
export function judgeInstances(
  instances: readonly Instance[],
  version: string,
  needed: Readonly<Record<string, number>> = POOL,
): Finding[] {
  if (instances.length === 0) {
    return [warning("services", "none is running", "headframe up --config FILE    (or `npm start`)")];
  }
  const findings = Object.entries(needed).map(([service, wanted]) => judgeService(service, wanted, instances));
  // A service of one's own has a version of its own: only two of them side by side are worth a word.
  const newest = (service: string) => (PARTS.includes(service) ? version : newestOf(service, instances)?.version);
  const old = instances.filter((it) => it.version !== newest(it.service));
  if (old.length > 0) {
    const services = [...new Set(old.map(({ service }) => service))];
    const text = `${old.length} instances run another version than the newest (of headframe: ${version}): ${services.join(", ")}`;
    findings.push(warning("versions", text, services.map((service) => `headframe swap ${service}`).join(" && ")));
  } else findings.push(good("versions", `all ${instances.length} instances run the newest (of headframe: ${version})`));
  return findings;
}

/** Services that come with this package. */
const PARTS: readonly string[] = [...Object.keys(POOL), "dashboard", "miner"];

const newestOf = (service: string, instances: readonly Instance[]): Instance | undefined =>
  instances.filter((it) => it.service === service).sort((a, b) => b.startedAt - a.startedAt)[0];

function judgeService(service: string, wanted: number, instances: readonly Instance[]): Finding {
  const ready = instances.filter((it) => it.service === service && it.state === "ready");
  const start = `headframe run ${service} --config FILE`;
  if (ready.length === 0) return bad(service, "no instance is ready", start);
  const text = `${ready.length} ready`;
  if (ready.length < wanted) return warning(service, `${text}; run ${wanted} so that one may fail`, start);
  return good(service, text);
}

/** Listed as ready, and nobody can talk to it: it is given no work, and stands in for one that would take it. */
export async function findUnreachable(house: House, instances: readonly Instance[]): Promise<Finding[]> {
  const unreachable = await new Reach(house).unreachable(instances); // The house closes its clients.
  return instances.flatMap((it) => {
    const why = unreachable.get(it.id);
    if (why === undefined) return [];
    const text = `is listed as ready at ${it.endpoint} (version ${it.version}), but does not answer: ${why}`;
    return [bad(it.id, text, `a firewall, a wrong address or another version: headframe swap ${it.service}`)];
  });
}

/** What they say of themselves. */
export async function askServices(house: House): Promise<Finding[]> {
  const [kept, jobs, door] = await Promise.all([
    ask(house, reporter, "status"),
    ask(house, jobmanager, "status"),
    ask(house, haproxy, "status"),
  ]);
  const findings: Finding[] = [];
  if (kept?.recording === "spool") {
    const text = `shares wait on disk: ${kept.trouble ?? "Redis does not take them"}`;
    findings.push(bad("shares", text, "fix Redis; the reporter then records them"));
  } else if (kept) findings.push(good("shares", "are recorded in Redis"));
  for (const { name, state, reason } of jobs?.daemons ?? []) {
    if (state === "live") continue;
    const text = `the jobmanager reports it as ${state}${reason === undefined ? "" : `: ${reason}`}`;
    findings.push(bad(`daemon ${name}`, text, "see the findings above, and `headframe logs --service jobmanager`"));
  }
  if (jobs && !jobs.job) findings.push(bad("work", "there is no job", "see the daemons"));
  if (door?.problem !== undefined) {
    findings.push(bad("haproxy", door.problem, "headframe logs --service haproxy-controller"));
  } else if (door?.running) {
    const up = door.servers.filter(({ state }) => state.startsWith("UP")).length;
    const { version, sessions } = door.running;
    findings.push(good("haproxy", `${version} runs, ${sessions} clients, ${up}/${door.servers.length} keepers up`));
  }
  return findings;
}

async function ask<C extends Contract, M extends MethodName<C>>({ nexus }: House, contract: C, method: M) {
  const client = nexus.client(contract);
  try {
    return await client.call(method, {} as never, { timeoutMs: ANSWER_MS });
  } catch (error) {
    if (!(error instanceof WiringError)) throw error;
    return undefined; // That it is not there is said elsewhere.
  } finally {
    await client.close();
  }
}
