// in-lent: sockets that the keeper lent this edge ahead of the day on which their clients become its own (K7 of the contract).
//
//   keeper --keep(+ socket)--> Lent, unread --client, without a socket--> in-clients: it is read from here on
//                                     \--forget--> closed: the client is gone
//
//   L1. Not one byte is taken from a socket here: another edge is reading it.
//   L2. Closing a duplicate closes nothing for the client.

import type { Socket } from "node:net";

/** What Node keeps to itself: a socket that came through a channel reads by itself, and no public way stops it in time. */
interface Handle {
  reading?: boolean;
  readStop?(): number;
  readStart?(): number;
}

export class Lent {
  readonly #sockets = new Map<number, Socket>();

  /** @param max More clients than this the edge takes in no case. */
  constructor(private readonly max: number) {}

  get size(): number {
    return this.#sockets.size;
  }

  has(id: number): boolean {
    return this.#sockets.has(id);
  }

  /** In the tick in which it arrived. */
  hold(id: number, socket: Socket): void {
    socket.on("error", ignore); // Nothing is read or written: the keeper tells of its end.
    const handle = handleOf(socket);
    if (!handle?.readStop || !handle.readStart || this.size >= this.max) {
      socket.destroy(); // The keeper's word finds nothing then, and the client is dropped: better than read by two.
      return;
    }
    handle.reading = false;
    handle.readStop(); // L1
    socket.pause();
    this.forget(id);
    this.#sockets.set(id, socket);
  }

  /** It is the caller's now, and flows as soon as somebody listens. Undefined: it was never here. */
  take(id: number): Socket | undefined {
    const socket = this.#sockets.get(id);
    if (!socket) return undefined;
    this.#sockets.delete(id);
    socket.off("error", ignore);
    const handle = handleOf(socket);
    if (!handle?.readStart) return undefined; // It broke meanwhile.
    handle.reading = true;
    handle.readStart();
    socket.resume();
    return socket;
  }

  /** L2 */
  forget(id: number): void {
    this.#sockets.get(id)?.destroy();
    this.#sockets.delete(id);
  }

  close(): void {
    for (const id of [...this.#sockets.keys()]) this.forget(id);
  }
}

const handleOf = (socket: Socket): Handle | undefined =>
  (socket as unknown as { readonly _handle?: Handle | null })._handle ?? undefined;

const ignore = (): void => {};
