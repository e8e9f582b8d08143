// runtime: the one place that speaks to a running HAProxy, through haproxy-sdk.
//
//   HaproxyRuntime --haproxy-sdk--> stats socket (a worker) or master socket
//
// haproxy-sdk 1.0.5 has faults that this module keeps from everybody else:
//
//   Q1. A stale socket file is an unhandled rejection in its constructor: the socket is probed first, and its early promise caught.
//   Q2. Its time limit is never enforced: ours is, for every command.
//   Q3. A socket that closes without an answer counts as success: every command carries `show version` behind it, whose line proves
//       that the answer is complete.
//   Q4. It throws strings, and some of its setters are wrong: changes go as raw commands, errors come as HaproxyError.

import { connect } from "node:net";
import HAProxy from "haproxy-sdk";
import { messageOf } from "../lib/thrown.js";
import { HaproxyError } from "./errors.js";
import { commandWord } from "./paths.js";
import { DESCRIPTION } from "./template.js";

/** HAProxy answers within a millisecond; a loaded machine may need a thousand. */
const COMMAND_MS = 2_000;
/** Severities are syslog's: 3 is an error. An unknown command, oddly, is information. */
const REFUSAL = /^\[([0-3]\]:\s*|\d\]:\s*(?=Unknown command))/;
const SEVERITY = /^\[\d\]:\s*/;
const VERSION_LINE = /^(\[\d\]:\s*)?\d+\.\d+[\w.+~-]*$/;

/** A row of `show stat`: a frontend, backend or server with its figures, as text, under HAProxy's own column names. */
export type StatRow = Readonly<Record<string, string>>;

export interface HaproxyInfo {
  readonly version: string;
  readonly pid: number;
  readonly uptimeSeconds: number;
  readonly connections: number;
  readonly connectionsMax: number;
  /** Of the template that this worker was started with; undefined: not one of ours. */
  readonly mark: string | undefined;
}

export interface MasterView {
  readonly masterPid: number;
  /** The newest. */
  readonly worker: number | undefined;
  /** Workers of before a reload, which still serve their clients. */
  readonly oldWorkers: readonly number[];
}

export class HaproxyRuntime {
  /** @param socket Path of the stats socket, or of the master's. */
  constructor(
    readonly socket: string,
    readonly timeoutMs: number = COMMAND_MS,
  ) {}

  /** @throws {HaproxyError} NOT_RUNNING, TIMEOUT */
  async info(): Promise<HaproxyInfo> {
    const [info = {}] = await this.#withSdk((sdk) => sdk.info());
    const { Version: version, Pid: pid, description } = info;
    if (!version || !pid) throw new HaproxyError("CUT_OFF", `${this.socket} did not say what it is`);
    return {
      version,
      pid: Number(pid),
      uptimeSeconds: Number(info.Uptime_sec),
      connections: Number(info.CurrConns),
      connectionsMax: Number(info.Maxconn),
      mark: description?.startsWith(DESCRIPTION) ? description.slice(DESCRIPTION.length) : undefined,
    };
  }

  async stat(): Promise<StatRow[]> {
    const [head = "", ...rows] = await this.command("show stat");
    const columns = head.replace(/^# /, "").split(",");
    return rows
      .filter((row) => row !== "")
      .map((row) => Object.fromEntries(row.split(",").map((value, i) => [columns[i] ?? `column${i}`, value])));
  }

  /**
   * Runtime commands, as HAProxy's management guide (9.3, "Unix Socket commands") lists them. Several are sent as one line: HAProxy
   * runs all of them even if this process ends meanwhile.
   *
   * @returns The answer's lines, without its empty last one.
   * @throws {HaproxyError} REFUSED (with HAProxy's reason), NOT_RUNNING, TIMEOUT, CUT_OFF.
   */
  async command(...commands: readonly string[]): Promise<string[]> {
    if (commands.some((each) => /[\r\n;]/.test(each)))
      throw new HaproxyError("REFUSED", "a runtime command is one line without a semicolon");
    const command = commands.join(";");
    const lines = await this.#raw(`set severity-output number;${command};show version`);
    while (lines.at(-1) === "") lines.pop();
    if (!VERSION_LINE.test(lines.pop() ?? "")) {
      throw new HaproxyError("CUT_OFF", `HAProxy's answer to "${command}" ended early`); // Q3
    }
    const answer = lines.filter((line, i) => line !== "" || (i > 0 && i < lines.length - 1));
    const refusal = answer.find((line) => REFUSAL.test(line));
    if (refusal) throw new HaproxyError("REFUSED", `HAProxy refused "${command}": ${refusal.replace(SEVERITY, "")}`);
    return answer.map((line) => line.replace(SEVERITY, ""));
  }

  /** Refuses new connections from an address or range at once. Existing ones stay. Lost at a reload unless it stands in the file. */
  async ban(address: string, aclFile: string): Promise<void> {
    await this.command(`add acl ${commandWord(aclFile)} ${checkedAddress(address)}`);
  }

  async unban(address: string, aclFile: string): Promise<void> {
    await this.command(`del acl ${commandWord(aclFile)} ${checkedAddress(address)}`);
  }

  /** Refused right now. */
  async banned(aclFile: string): Promise<string[]> {
    const lines = await this.command(`show acl ${commandWord(aclFile)}`); // `0x55d2b80 192.0.2.7`
    return lines.flatMap((line) => /^0x[0-9a-f]+ (\S+)$/.exec(line)?.[1] ?? []);
  }

  /** Only at the master's socket. */
  async master(): Promise<MasterView> {
    const lines = await this.#raw("show proc");
    let part: "workers" | "old" = "workers";
    let masterPid = 0;
    let worker: number | undefined;
    const oldWorkers: number[] = [];
    for (const line of lines) {
      if (line.startsWith("# old workers")) part = "old";
      const [, pid, type] = /^(\d+)\s+(master|worker)\b/.exec(line) ?? [];
      if (type === "master") masterPid = Number(pid);
      else if (type === "worker" && part === "workers") worker = Number(pid);
      else if (type === "worker") oldWorkers.push(Number(pid));
    }
    if (masterPid === 0) throw new HaproxyError("CUT_OFF", `${this.socket} did not list HAProxy's processes`);
    return { masterPid, worker, oldWorkers };
  }

  async #raw(command: string): Promise<string[]> {
    const [answer = {}] = await this.#withSdk((sdk) => sdk.command(command));
    return Object.values(answer)[0] ?? [];
  }

  async #withSdk<T>(ask: (sdk: HAProxy) => Promise<T>): Promise<T> {
    const untilMs = performance.now() + this.timeoutMs;
    await this.#probe();
    try {
      const sdk = new HAProxy(this.socket, null, 0, this.timeoutMs / 1_000);
      for (const { process_nb } of sdk._hap_processes) process_nb.catch(() => {}); // Q1
      return await within(Math.max(1, untilMs - performance.now()), ask(sdk)); // Q2
    } catch (error) {
      if (error instanceof HaproxyError) throw error;
      const reason = messageOf(error); // Q4
      throw new HaproxyError("NOT_RUNNING", `HAProxy at ${this.socket} failed to answer: ${reason}`, { cause: error });
    }
  }

  /** Q1 */
  #probe(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.socket);
      const settle = (error?: HaproxyError) => {
        socket.destroy();
        if (error) reject(error);
        else resolve();
      };
      socket.once("connect", () => settle());
      socket.once("error", (cause) =>
        settle(new HaproxyError("NOT_RUNNING", `no HAProxy answers at ${this.socket}: ${cause.message}`, { cause })),
      );
      socket.setTimeout(this.timeoutMs, () =>
        settle(new HaproxyError("TIMEOUT", `HAProxy at ${this.socket} does not accept`)),
      );
    });
  }
}

function checkedAddress(address: string): string {
  if (!/^[0-9a-fA-F.:]+(\/\d{1,3})?$/.test(address)) {
    throw new HaproxyError("REFUSED", `${address} is no address and no range such as 192.0.2.0/24`);
  }
  return address;
}

async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new HaproxyError("TIMEOUT", `HAProxy did not answer within ${Math.ceil(ms)} ms`)),
      ms,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
