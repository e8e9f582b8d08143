// The coin daemons, asked directly: are they there, of the right chain, in sync, and agreed?
//
//   getblockchaininfo, getnetworkinfo of each --> facts --judgeDaemons (pure)--> findings

import { z } from "zod";
import { DaemonRpc, RpcError } from "../../services/jobmanager/out-rpc.js";
import type { Settings } from "../../services/jobmanager/settings.js";
import { bad, type Finding, good, warning } from "./finding.js";
import { judgeClock } from "./redis.js";

const ANSWER_MS = 5_000;
/** Two daemons may hear of a block one after the other. */
const HEIGHTS_APART_MAX = 1;

const chainInfo = z.object({
  chain: z.string(),
  blocks: z.number().int(),
  headers: z.number().int(),
  bestblockhash: z.string(),
  initialblockdownload: z.boolean().default(false),
});
const networkInfo = z.object({
  subversion: z.string(),
  connections: z.number().int(),
  /** Seconds by which its peers' clocks differ from its own, in the middle. */
  timeoffset: z.number().default(0),
});

export interface DaemonFacts {
  readonly name: string;
  readonly url: string;
  readonly chain?: z.output<typeof chainInfo>;
  readonly network?: z.output<typeof networkInfo>;
  /** It did not answer, or not as it should. */
  readonly failure?: { readonly code: string; readonly text: string };
}

export async function askDaemon(settings: Settings["daemons"][number]): Promise<DaemonFacts> {
  const { name, url } = settings;
  const rpc = new DaemonRpc({ ...settings, timeoutMs: ANSWER_MS });
  try {
    const chain = await rpc.call("getblockchaininfo", [], chainInfo);
    return { name, url, chain, network: await rpc.call("getnetworkinfo", [], networkInfo) };
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return { name, url, failure: { code: error.code, text: error.message.replace(/^\[\w+\] /, "") } };
  } finally {
    rpc.close();
  }
}

/** @param alone On a chain of one's own nobody else is needed: regtest. */
export function judgeDaemons(all: readonly DaemonFacts[], alone: boolean): Finding[] {
  const findings = all.flatMap((facts) => judgeDaemon(facts, alone));
  const heights = all.flatMap(({ chain }) => chain?.blocks ?? []);
  const [low, high] = [Math.min(...heights), Math.max(...heights)];
  if (heights.length > 1 && high - low > HEIGHTS_APART_MAX) {
    const behind = all.filter(({ chain }) => chain && chain.blocks < high).map(({ name }) => name);
    const text = `they are ${high - low} blocks apart (${low} and ${high})`;
    findings.push(bad("daemons", text, `let ${behind.join(", ")} catch up: see its peers with getpeerinfo`));
  }
  if (all.length === 1) {
    const text = "only one daemon is configured: while it is down, there is no new work";
    findings.push(warning("daemons", text, "add a second daemon to jobmanager.daemons"));
  }
  return findings;
}

function judgeDaemon({ name, url, chain, network, failure }: DaemonFacts, alone: boolean): Finding[] {
  const what = `daemon ${name}`;
  if (failure) return [bad(what, failure.text, mendFor(failure.code, url))];
  if (!chain || !network) return [];
  const { subversion, connections, timeoffset } = network;
  const findings = [good(what, `${subversion} on ${chain.chain}, block ${chain.blocks}, ${connections} peers`)];
  if (chain.initialblockdownload || chain.headers - chain.blocks > HEIGHTS_APART_MAX) {
    const text = `not in sync: block ${chain.blocks} of ${chain.headers}`;
    findings.push(bad(what, text, "wait; its debug.log shows the progress (UpdateTip)"));
  }
  if (connections === 0 && !alone) {
    findings.push(bad(what, "has no peers: found blocks cannot propagate", "addnode HOST add, and open its port"));
  }
  const clock = judgeClock(what, Math.abs(timeoffset) * 1_000, -timeoffset);
  return clock.verdict === "good" ? findings : [...findings, { ...clock, text: `${clock.text} (by its peers)` }];
}

function mendFor(code: string, url: string): string {
  if (code === "UNREACHABLE") return `start it with -server and check that it listens at ${url}`;
  if (code === "UNAUTHORISED") return "correct user and passwordFile, or cookieFile, of jobmanager.daemons";
  if (code === "RPC") return "wait if it is starting; else see its debug.log";
  return "see its debug.log, and that the URL is of the daemon's RPC port";
}
