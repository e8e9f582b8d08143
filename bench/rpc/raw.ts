// The reference: node:net, length-prefixed, everything of one tick in one write. What Node's sockets allow, with nothing on top: no
// names, no validation, no deadlines, no errors.
//
//   message = length u32 | id u32 | payload

import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";
import { contend, TEXT } from "./contender.js";

const HEAD = 8;
const SLAB = 1 << 20;

/** Collects the messages of a tick and writes them at its end. */
class Batch {
  #slab = Buffer.allocUnsafe(SLAB);
  #length = 0;

  constructor(readonly socket: Socket) {}

  put(id: number, bytes: Uint8Array, start: number, end: number): void {
    const size = end - start;
    if (this.#length === 0) process.nextTick(() => this.#flush());
    if (this.#length + HEAD + size > this.#slab.length) this.#flush();
    const slab = this.#slab;
    slab.writeUInt32LE(size, this.#length);
    slab.writeUInt32LE(id, this.#length + 4);
    slab.set(bytes.subarray(start, end), this.#length + HEAD);
    this.#length += HEAD + size;
  }

  #flush(): void {
    if (this.#length === 0) return;
    this.socket.write(this.#slab.subarray(0, this.#length));
    // What was written belongs to the socket until it is sent.
    this.#slab = this.#length * 2 > this.#slab.length ? Buffer.allocUnsafe(SLAB) : this.#slab.subarray(this.#length);
    this.#length = 0;
  }
}

function onMessages(socket: Socket, take: (id: number, bytes: Buffer, start: number, end: number) => void): void {
  let rest: Buffer | undefined;
  socket.setNoDelay(true);
  socket.on("error", () => {}); // The run ends by killing.
  socket.on("data", (chunk: Buffer) => {
    const bytes = rest ? Buffer.concat([rest, chunk]) : chunk;
    let at = 0;
    while (at + HEAD <= bytes.length) {
      const end = at + HEAD + bytes.readUInt32LE(at);
      if (end > bytes.length) break;
      take(bytes.readUInt32LE(at + 4), bytes, at + HEAD, end);
      at = end;
    }
    rest = at < bytes.length ? bytes.subarray(at) : undefined;
  });
}

contend({
  serve: () =>
    new Promise((resolve) => {
      const server = createServer((socket) => {
        const batch = new Batch(socket);
        onMessages(socket, (id, bytes, start, end) => batch.put(id, bytes, start, end));
      });
      server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
    }),
  connect: (port: number) =>
    new Promise((resolve) => {
      const payload = Buffer.from(TEXT);
      const waiting = new Map<number, () => void>();
      let lastId = 0;
      const socket = connect(port, "127.0.0.1", () => {
        const batch = new Batch(socket);
        resolve((done) => {
          lastId = (lastId + 1) >>> 0;
          waiting.set(lastId, done);
          batch.put(lastId, payload, 0, payload.length);
        });
      });
      onMessages(socket, (id, bytes, start, end) => {
        const done = waiting.get(id);
        waiting.delete(id);
        if (payload.compare(bytes, start, end) !== 0) throw new Error("a wrong answer");
        done?.();
      });
    }),
});
