// The far host: a network namespace, joined to this one by a cable that can be pulled and narrowed. One of two stratum, jobmanager
// and reporter runs there (place.sh); Redis, edge, daemons and clients stay here.
//
//   here: NEAR --veth-- bridge --veth-- FAR :there          cut: the bridge is down, both ends keep their link and hear nothing
//
//   N1. Only root can make one, and not everywhere: `Far.open` says why there is none.
//   N2. Names and addresses are of this process; what a killed run left behind is cleared away by the next one.
//   N3. Addresses are of 198.18.0.0/15, which is reserved for tests between networks (RFC 2544) and routed nowhere.

import { readdirSync, readlinkSync } from "node:fs";
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { ROOT } from "../bin/paths.js";
import { messageOf } from "../lib/thrown.js";
import { isAlive } from "./leftovers.js";

const PREFIX = "hfc";
const NAMESPACES = "/run/netns";
const PLACE = join(ROOT, "chaos", "place.sh");
/** A narrow link holds back packets for so long at most, and drops what comes then. */
const QUEUE_MS = 150;
const BURST_BYTES = 4_096;

/** The services that run on either host. */
const PLACED = /^cmd = (.* run (stratum|jobmanager|reporter) .*)$/gm;

/** Device names have at most 15 characters. */
const devicesOf = (pid: number) => {
  const name = (part: string) => `${PREFIX}${pid}${part}`;
  return {
    namespace: name(""),
    bridge: name("b"),
    near: name("n"),
    nearPort: name("p"),
    farPort: name("q"),
    far: name("f"),
  };
};

export interface FarOptions {
  /** For place.sh. */
  readonly folder: string;
  /** Bytes a second that a narrow link lets through, each way. */
  readonly narrowBytes: number;
}

export class Far {
  readonly #devices = devicesOf(process.pid);
  readonly #inode: string;

  private constructor(readonly options: FarOptions) {
    this.#inode = namespaceOf("self");
  }

  /** @returns a text, the reason, when this machine has none to give. N1 */
  static async open(options: FarOptions): Promise<Far | string> {
    if (process.getuid?.() !== 0) return "it needs a network namespace, which only root can make";
    const far = new Far(options);
    try {
      await sweep();
      await far.#build();
      return far;
    } catch (error) {
      await far.close();
      const why = error instanceof Error ? error.message.split("\n")[0] : messageOf(error);
      return `it needs a network namespace, a bridge and tc, and this machine has not all of them: ${why}`;
    }
  }

  /** This host's end of the cable: where everything here listens. */
  get near(): string {
    return address(1);
  }

  /** True: the process runs there. */
  has(pid: number): boolean {
    const namespace = namespaceOf(`${pid}`);
    return namespace !== "" && namespace !== this.#inode;
  }

  /** circus.ini with the services spread over both hosts. */
  spread(ini: string): string {
    const words = [PLACE, this.options.folder, this.#devices.namespace, address(2)]
      .map((word) => `"${word}"`)
      .join(" ");
    return ini.replace(PLACED, (_, command: string, service: string) => `cmd = ${words} ${service} ${command}`);
  }

  async cut(cut: boolean): Promise<void> {
    await ip("link", "set", this.#devices.bridge, cut ? "down" : "up");
  }

  async narrow(narrow: boolean): Promise<void> {
    const { nearPort, farPort } = this.#devices;
    for (const port of [nearPort, farPort])
      await (narrow ? this.#narrow(port) : tc("qdisc", "del", "dev", port, "root"));
  }

  /** Safe twice, and when only a part of it was made. */
  async close(): Promise<void> {
    await remove(process.pid);
  }

  async #build(): Promise<void> {
    const { namespace, bridge, near, nearPort, farPort, far } = this.#devices;
    await mkdir(this.options.folder, { recursive: true, mode: 0o700 });
    await chmod(PLACE, 0o755); // An installed package may have lost it.
    await ip("netns", "add", namespace);
    await ip("link", "add", bridge, "type", "bridge");
    await ip("link", "add", near, "type", "veth", "peer", "name", nearPort);
    await ip("link", "add", farPort, "type", "veth", "peer", "name", far, "netns", namespace);
    for (const port of [nearPort, farPort]) await ip("link", "set", port, "master", bridge);
    for (const device of [bridge, near, nearPort, farPort]) await ip("link", "set", device, "up");
    await ip("addr", "add", `${address(1)}/30`, "dev", near);
    await ip("-n", namespace, "addr", "add", `${address(2)}/30`, "dev", far);
    await ip("-n", namespace, "link", "set", far, "up");
    await ip("-n", namespace, "link", "set", "lo", "up");
    await this.narrow(true); // So that a machine without it is told from one that has it.
    await this.narrow(false);
  }

  async #narrow(port: string): Promise<void> {
    const rate = `${Math.ceil((8 * this.options.narrowBytes) / 1_000)}kbit`;
    const queue = ["rate", rate, "burst", `${BURST_BYTES}`, "latency", `${QUEUE_MS}ms`];
    await tc("qdisc", "add", "dev", port, "root", "tbf", ...queue);
  }
}

/** N3. A subnet of four addresses for each process id. */
function address(host: 1 | 2): string {
  const { pid } = process;
  return `198.18.${pid & 0xff}.${4 * ((pid >> 8) & 0x3f) + host}`;
}

/** Of a process; empty: it has ended. */
function namespaceOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return "";
  }
}

const ip = (...args: string[]) => execa("ip", args);
const tc = (...args: string[]) => execa("tc", args);

/** N2 */
async function sweep(): Promise<void> {
  const names = listed(NAMESPACES);
  const pids = names.flatMap((name) => (name.startsWith(PREFIX) ? [Number(name.slice(PREFIX.length))] : []));
  for (const pid of pids) if (pid > 0 && !isAlive(pid)) await remove(pid);
}

async function remove(pid: number): Promise<void> {
  const { namespace, bridge, near, farPort } = devicesOf(pid);
  const quietly = { reject: false } as const; // What is not there any more needs no removing.
  await execa("ip", ["netns", "del", namespace], quietly);
  for (const device of [near, farPort, bridge]) await execa("ip", ["link", "del", device], quietly);
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // Nobody has made a namespace yet.
  }
}
