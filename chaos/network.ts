// A TCP network between the pool and its Redis, that does what a bad network does: delay, swallow, cut.
//
//   services -> HOST:PORT (this) -> 127.0.0.1:TARGET

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** A sender that is that far ahead waits. */
const AHEAD_BYTES = 4 << 20;

/** One direction of one connection. Bytes keep their order, whatever the delay becomes. */
class Pipe {
  readonly #queue: { readonly chunk: Buffer; readonly dueMs: number }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly network: { readonly delayMs: number; readonly held: boolean },
  ) {
    from.setNoDelay(true);
    from.on("data", (chunk: Buffer) => this.#take(chunk));
    from.on("error", () => {}); // Its close says all.
    from.once("close", () => {
      clearTimeout(this.#timer);
      to.destroy();
    });
    to.on("drain", () => void (network.held || from.resume()));
    if (network.held) from.pause();
  }

  #take(chunk: Buffer): void {
    if (this.network.delayMs === 0 && this.#queue.length === 0) {
      this.#write(chunk);
      return;
    }
    const after = this.#queue.at(-1)?.dueMs ?? 0;
    this.#queue.push({ chunk, dueMs: Math.max(after, performance.now() + this.network.delayMs) });
    this.#timer ??= setTimeout(() => this.#flush(), this.network.delayMs);
  }

  #flush(): void {
    this.#timer = undefined;
    while ((this.#queue[0]?.dueMs ?? Number.POSITIVE_INFINITY) <= performance.now()) {
      const next = this.#queue.shift();
      if (next) this.#write(next.chunk);
    }
    const [next] = this.#queue;
    if (next) this.#timer = setTimeout(() => this.#flush(), Math.ceil(next.dueMs - performance.now()));
  }

  #write(chunk: Buffer): void {
    if (!this.to.write(chunk) && this.to.writableLength > AHEAD_BYTES) this.from.pause();
  }
}

export class Network {
  readonly #sockets = new Set<Socket>();
  /** Every byte takes this much longer, in either direction. */
  delayMs = 0;
  #held = false;

  private constructor(
    private readonly server: Server,
    private readonly targetPort: number,
  ) {
    server.on("connection", (near) => this.#take(near));
  }

  /** @param host Where it listens. */
  static async open(targetPort: number, host: string): Promise<Network> {
    const server = createServer();
    const network = new Network(server, targetPort);
    server.listen(0, host);
    await once(server, "listening");
    return network;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get held(): boolean {
    return this.#held;
  }

  /** True: nothing passes, and the connections stay; false: what came meanwhile passes now. */
  hold(held: boolean): void {
    this.#held = held;
    for (const socket of this.#sockets) held ? socket.pause() : socket.resume();
  }

  /** Breaks every connection; new ones are taken. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    const closed = once(this.server, "close");
    this.server.close();
    this.cut();
    await closed;
  }

  #take(near: Socket): void {
    const far = connect(this.targetPort, "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.once("close", () => this.#sockets.delete(from));
      new Pipe(from, to, this);
    }
  }
}
