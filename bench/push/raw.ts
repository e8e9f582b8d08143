// The reference: node:net, length-prefixed, one write a tick and subscriber of the same bytes.
//
//   message = length u32 | sequence u32 | sent at f64 | payload           seen = sequence u32

import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { contendPush, TEXT } from "./contender.js";

const HEAD = 16;
const WORD = 4;
const NAME_BYTES = 16;
const payload = Buffer.from(TEXT);
const SIZE = HEAD + payload.length;
const SLAB_MESSAGES = 1_024;

contendPush({
  publisher: (seen) =>
    new Promise((resolve) => {
      const sockets = new Set<Socket>();
      const server = createServer((socket) => {
        socket.setNoDelay(true).on("error", () => {}); // The run ends by killing.
        let name = "";
        let rest = Buffer.alloc(0);
        socket.on("data", (chunk: Buffer) => {
          rest = Buffer.concat([rest, chunk]);
          if (name === "" && rest.length >= NAME_BYTES) {
            name = rest.toString("latin1", 0, NAME_BYTES);
            rest = rest.subarray(NAME_BYTES);
            sockets.add(socket);
          }
          for (; name !== "" && rest.length >= WORD; rest = rest.subarray(WORD)) seen(name, rest.readUInt32LE(0));
        });
      });
      let slab = Buffer.allocUnsafe(SIZE * SLAB_MESSAGES);
      let length = 0;
      const flush = () => {
        if (length === 0) return;
        const bytes = slab.subarray(0, length);
        for (const socket of sockets) socket.write(bytes);
        slab = Buffer.allocUnsafe(SIZE * SLAB_MESSAGES);
        length = 0;
      };
      const publish = (sequence: number, sentMs: number) => {
        if (length === 0) process.nextTick(flush);
        slab.writeUInt32LE(SIZE, length);
        slab.writeUInt32LE(sequence, length + WORD);
        slab.writeDoubleLE(sentMs, length + 2 * WORD);
        slab.set(payload, length + HEAD);
        length += SIZE;
        if (length === slab.length) flush();
      };
      server.listen(0, "127.0.0.1", () => resolve({ address: (server.address() as AddressInfo).port, publish }));
    }),
  subscriber: (port: number, name, take) =>
    new Promise((resolve) => {
      let rest: Buffer | undefined;
      const socket = connect(port, "127.0.0.1", () => {
        socket.write(name.padEnd(NAME_BYTES).slice(0, NAME_BYTES), "latin1");
        resolve((sequence) => {
          const word = Buffer.allocUnsafe(WORD);
          word.writeUInt32LE(sequence);
          socket.write(word);
        });
      });
      socket.setNoDelay(true).on("error", () => {});
      socket.on("data", (chunk: Buffer) => {
        const bytes = rest ? Buffer.concat([rest, chunk]) : chunk;
        let at = 0;
        for (; at + SIZE <= bytes.length; at += SIZE) {
          if (payload.compare(bytes, at + HEAD, at + SIZE) !== 0) throw new Error("a wrong message");
          take(bytes.readUInt32LE(at + WORD), bytes.readDoubleLE(at + 2 * WORD));
        }
        rest = at < bytes.length ? bytes.subarray(at) : undefined;
      });
    }),
});
