// A daemon's ZeroMQ announcements of new blocks: the quickest way to hear of a tip, where a daemon offers it.
//
// Source: Bitcoin Core, doc/zmq.md: topic `hashblock`, 32 bytes of hash, a sequence number. PUB may drop messages, so nothing
// depends on one: the long poll and the pulse see the same tip a little later.

import { Subscriber } from "zeromq";

export interface HashblockListener {
  onBlock(): void;
  /** The connection to the daemon came or went. */
  onConnection(up: boolean): void;
}

/** Two announcements are as good as one, so a short queue is enough. */
const QUEUE_MESSAGES = 16;

/** Listens until the signal is aborted; then resolves. Reconnects by itself. */
export async function listenHashblock(url: string, listener: HashblockListener, signal: AbortSignal): Promise<void> {
  const socket = new Subscriber({ receiveHighWaterMark: QUEUE_MESSAGES, linger: 0 });
  const close = (): void => socket.close();
  signal.addEventListener("abort", close, { once: true });
  try {
    socket.events.on("connect", () => listener.onConnection(true));
    socket.events.on("disconnect", () => listener.onConnection(false));
    socket.subscribe("hashblock");
    socket.connect(url);
    for await (const _message of socket) listener.onBlock();
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", close);
    socket.close();
  }
}
