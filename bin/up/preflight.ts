// Preflight: are the operator's coin daemons such that the pool can work? Asked before anything starts, so that a wrong password
// costs no more than its message.
//
//   [jobmanager] daemons --getblockchaininfo--> one fits: go on, and tell what is wrong with the others | none: the reasons, at once
//
// A daemon that is only starting is waited for, by the jobmanager, as is any that fails later.

import { once } from "node:events";
import { createServer } from "node:net";
import { z } from "zod";
import { coinOf } from "../../services/jobmanager/coins/index.js";
import { DaemonRpc, RpcError } from "../../services/jobmanager/out-rpc.js";
import type { DaemonSettings, Settings } from "../../services/jobmanager/settings.js";

/** A daemon that is well answers within milliseconds; a person waits for this. */
const ANSWER_MS = 3_000;
/** The daemon loads its index: it will answer. */
const RPC_IN_WARMUP = -28;

const chainInfo = z.object({ chain: z.string().max(64) });

/**
 * @param tell One line for people, of a daemon that cannot be used while another one can.
 * @throws {Error} with every daemon's reason when none can be used.
 */
export async function checkDaemons(settings: Settings, tell: (line: string) => void): Promise<void> {
  const { chain } = coinOf(settings.coin, settings.network).network;
  const found = await Promise.all(settings.daemons.map((daemon) => problemOf(daemon, chain)));
  const problems = found.flatMap((problem) => problem ?? []);
  if (problems.length === settings.daemons.length && !problems.some(({ passes }) => passes)) {
    throw new Error(`no coin daemon can be used\n${problems.map(({ why }) => `  ${why}`).join("\n")}`);
  }
  for (const { why } of problems) tell(why);
}

/**
 * HAProxy would share a port with another HAProxy, and each would get half of the other's clients.
 *
 * @throws {Error} naming the listeners whose port somebody has.
 */
export async function checkPorts(listeners: readonly { name: string; host: string; port: number }[]): Promise<void> {
  const taken: string[] = [];
  for (const { name, host, port } of listeners) {
    const server = createServer();
    try {
      await once(server.listen({ host, port }), "listening");
    } catch (error) {
      // Whatever else there is, HAProxy says in its own words; it may be allowed more than this process.
      if (error instanceof Error && "code" in error && error.code === "EADDRINUSE")
        taken.push(`${name}, ${host}:${port}`);
    } finally {
      server.close();
    }
  }
  if (taken.length === 0) return;
  throw new Error(
    `another process listens there already: ${taken.join("; ")}. End it (another pool? \`ss -ltnp\` shows it), or change haproxy.listeners`,
  );
}

/** Undefined: it is as it should be. `passes`: it will be, without anybody's help. */
async function problemOf(daemon: DaemonSettings, chain: string): Promise<{ why: string; passes: boolean } | undefined> {
  const rpc = new DaemonRpc({ ...daemon, timeoutMs: Math.min(daemon.timeoutMs, ANSWER_MS) });
  try {
    const info = await rpc.call("getblockchaininfo", [], chainInfo);
    if (info.chain === chain) return undefined;
    const why = `daemon ${daemon.name} is on chain ${info.chain}, this pool mines ${chain}: check its url and jobmanager.network`;
    return { why, passes: false };
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return { why: error.message.replace(/^\[\w+\] /, ""), passes: error.rpcCode === RPC_IN_WARMUP };
  } finally {
    rpc.close();
  }
}
