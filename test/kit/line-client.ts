// line-client: a client that counts what it is told, and notices everything that a client must never notice.
//
//   const client = await LineClient.connect(port);      client.send("{x}");     await client.line("the answer");

import { connect, type NetConnectOpts, type Socket } from "node:net";
import { until } from "./until.js";

export class LineClient {
  readonly lines: string[] = [];
  /** The server closed, or the connection broke. */
  closed = false;
  /** It broke (reset), other than by a goodbye. */
  broken = false;
  #rest = "";
  #read = 0;

  private constructor(readonly socket: Socket) {
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      const parts = (this.#rest + chunk.toString("latin1")).split("\n");
      this.#rest = parts.pop() ?? "";
      this.lines.push(...parts);
    });
    socket.on("end", () => {
      this.closed = true;
    });
    socket.on("error", () => {
      this.broken = true;
    });
    socket.on("close", () => {
      this.closed = true;
    });
  }

  static connect(where: number | NetConnectOpts): Promise<LineClient> {
    const options = typeof where === "number" ? { host: "127.0.0.1", port: where } : where;
    return new Promise((resolve, reject) => {
      const socket = connect(options);
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new LineClient(socket));
      });
    });
  }

  send(text: string | Uint8Array): void {
    this.socket.write(typeof text === "string" ? `${text}\n` : text);
  }

  /** The next line not asked for yet. */
  async line(what: string, deadlineMs = 5_000): Promise<string> {
    await until(what, deadlineMs, () => this.lines.length > this.#read);
    return this.lines[this.#read++] ?? "";
  }

  /** Sends and takes the next line. */
  ask(text: string, deadlineMs?: number): Promise<string> {
    this.send(text);
    return this.line(`${text} is answered`, deadlineMs);
  }

  end(): void {
    this.socket.destroy();
  }
}
