// What the pool's processes count, as they send it (statsd), with the moment: a line each, beside their logs. It tells which of
// many counters moved when a promise broke.

import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import { clockMs } from "./seen.js";

/** A run that counts more than this stops writing it down: some minutes of a large pool. */
const BYTES_MAX = 256 << 20;

export class MetricsFile {
  #bytes = 0;
  readonly #counts = new Map<string, number>();

  private constructor(
    private readonly socket: Socket,
    private readonly file: WriteStream,
  ) {
    socket.on("message", (message) => this.#write(message.toString("utf8")));
  }

  /** @param host Where it listens. */
  static async open(path: string, host: string): Promise<MetricsFile> {
    const socket = createSocket("udp4");
    socket.bind(0, host);
    await once(socket, "listening");
    return new MetricsFile(socket, createWriteStream(path, { mode: 0o600 }));
  }

  get port(): number {
    return this.socket.address().port;
  }

  /** Sum of a counter over all processes. What the network dropped (statsd is UDP) is missing, so it may be too low, never too high. */
  count(name: string): number {
    return this.#counts.get(`headframe.${name}`) ?? 0;
  }

  async close(): Promise<void> {
    this.socket.close();
    await new Promise((resolve) => this.file.end(resolve));
  }

  #write(text: string): void {
    const lines = text.split("\n").filter((line) => line !== "");
    for (const line of lines) this.#add(line);
    if (this.#bytes > BYTES_MAX) return;
    const at = clockMs().toFixed(0);
    const block = lines.map((line) => `${at} ${line}\n`).join("");
    this.#bytes += block.length;
    this.file.write(block);
  }

  /** `name:12|c|#tags` */
  #add(line: string): void {
    const [, name, by] = /^([\w.-]+):(\d+)\|c(?:\||$)/.exec(line) ?? [];
    if (name !== undefined) this.#counts.set(name, (this.#counts.get(name) ?? 0) + Number(by));
  }
}
