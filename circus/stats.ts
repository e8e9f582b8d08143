// CPU and memory of every process, published once a second, as circusd-stats does.
//
//   stat.WATCHER.PID {mem_info1, mem_info2, cpu, mem, ctime, ..., subtopic: PID, name: WATCHER}
//   stat.WATCHER     {pid: [...], cpu (average), mem (sum), age (oldest)}
//   stat.circus, stat.circus.PID: the manager itself, named "circusd"

import { TopicSocket, topicName } from "./events.js";
import { InfoReader, type ProcessInfo } from "./info.js";

/** circusd-stats' own interval. */
const EVERY_MS = 1_000;

export class StatsPublisher {
  readonly #reader = new InfoReader();
  readonly #timer: NodeJS.Timeout;

  private constructor(
    private readonly socket: TopicSocket,
    private readonly pids: () => ReadonlyMap<string, readonly number[]>,
  ) {
    this.#timer = setInterval(() => this.#publish(), EVERY_MS);
  }

  /** @param pids Watcher name -> its processes, asked every second. */
  static async open(
    endpoint: string,
    owner: string | undefined,
    pids: () => ReadonlyMap<string, readonly number[]>,
  ): Promise<StatsPublisher> {
    return new StatsPublisher(await TopicSocket.open(endpoint, owner), pids);
  }

  close(): void {
    clearInterval(this.#timer);
    this.socket.close();
  }

  #publish(): void {
    const watchers = this.pids();
    for (const [name, pids] of watchers) this.#publishOne(topicName(name), name, pids);
    this.#publishOne("circus", "circusd", [process.pid]);
    this.#reader.keepOnly(new Set([process.pid, ...[...watchers.values()].flat()]));
  }

  #publishOne(topic: string, name: string, pids: readonly number[]): void {
    const infos = pids.map((pid) => this.#reader.read(pid)).filter((info) => info !== undefined);
    for (const info of infos) {
      this.socket.publish(`stat.${topic}.${info.pid}`, { ...info, subtopic: info.pid, name });
    }
    this.socket.publish(`stat.${topic}`, aggregate(infos));
  }
}

function aggregate(infos: readonly ProcessInfo[]) {
  const sum = (of: (info: ProcessInfo) => number): number => infos.reduce((total, info) => total + of(info), 0);
  return {
    pid: infos.map((info) => info.pid),
    cpu: infos.length === 0 ? 0 : sum((info) => info.cpu) / infos.length,
    mem: sum((info) => info.mem),
    age: infos.length === 0 ? "N/A" : Math.max(...infos.map((info) => info.age)),
  };
}
