// A world for the wiring's tests: nexuses that see each other through one directory in memory, and mills in them.

import {
  type CallContext,
  Directory,
  type Hosted,
  type HostOptions,
  type Limits,
  memoryDiscovery,
  type Nexus,
  type NexusOptions,
  noMetrics,
  openNexus,
  quiet,
} from "../../../lib/wiring/index.js";
import { atEnd } from "../../kit/cleanup.js";
import { contract, credentials, type Mill } from "./mill.js";

/** A request that a handler holds. */
export interface Held {
  readonly request: number;
  readonly context: CallContext;
  readonly instance: string;
  answer(reply: number): void;
  throw(error: unknown): void;
}

export interface MillInstance {
  readonly hosted: Hosted<Mill>;
  readonly held: Held[];
  /** Requests of `act` and `echo` in the order in which they were begun. */
  readonly begun: number[];
  act: (request: number, context: CallContext) => unknown;
}

export async function openMill(nexus: Nexus, options?: HostOptions<Mill>): Promise<MillInstance> {
  const held: Held[] = [];
  const begun: number[] = [];
  const hold = (request: number, context: CallContext) =>
    new Promise<number>((resolve, reject) => {
      held.push({ request, context, instance: mill.hosted.instance.id, answer: resolve, throw: reject });
    });
  const hosted = await nexus.host(
    contract,
    {
      echo: (request) => request,
      hold,
      once: hold,
      act: (request, context) => {
        begun.push(request);
        return mill.act(request, context);
      },
    },
    options,
  );
  const mill: MillInstance = { hosted, held, begun, act: (request) => request };
  return mill;
}

export interface World {
  readonly directory: Directory;
  /** Makes the calls. */
  readonly caller: Nexus;
  /** Hosts the services. The same nexus as `caller` in a local world. */
  readonly host: Nexus;
  /** One more nexus that sees the others. */
  open(options?: Partial<NexusOptions>): Promise<Nexus>;
}

export async function openWorld(kind: "local" | "remote", limits: Partial<Limits> = {}): Promise<World> {
  const directory = new Directory();
  const open = async (options: Partial<NexusOptions> = {}) => {
    const nexus = await openNexus({
      discovery: memoryDiscovery(directory),
      version: "1.2.3",
      bind: "127.0.0.1",
      log: quiet,
      metrics: noMetrics,
      credentials,
      limits,
      ...options,
    });
    atEnd(() => nexus.close());
    return nexus;
  };
  const caller = await open();
  const host = kind === "local" ? caller : await open();
  return { directory, caller, host, open };
}

/** What a rejected promise was rejected with. */
export async function failureOf(promise: Promise<unknown>): Promise<{ code: string; sent: boolean; message: string }> {
  try {
    await promise;
  } catch (error) {
    return error as { code: string; sent: boolean; message: string };
  }
  throw new Error("the call succeeded, and should have failed");
}
