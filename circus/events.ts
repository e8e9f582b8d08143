// What the manager tells everyone who listens: Circus's events and stats on PUB sockets.
//
//   watcher.NAME.spawn {process_pid, time}     .reap {process_pid, time, exit_code}     .kill {process_pid, time}
//   watcher.NAME.{start,stop,reload,updated,add,remove} {time}     .ready {process_pid, time}: ours, when it serves
//
//   A PUB socket drops what a slow listener cannot take: nothing that must not be lost depends on it. `time` is seconds
//   since the epoch, as a float; NAME is in lower case with `_` for spaces; exit_code is negative for a death by signal.

import type { Publisher } from "zeromq";
import { type Binding, bindPublisher } from "./endpoint.js";

export type Topic = "spawn" | "ready" | "reap" | "kill" | "start" | "stop" | "reload" | "updated" | "add" | "remove";

export interface CircusEvent {
  readonly watcher: string;
  readonly topic: Topic;
  readonly body: {
    /** Seconds since the epoch. */
    readonly time: number;
    readonly process_pid?: number;
    readonly exit_code?: number;
    /** Of a `stop` that nobody asked for. */
    readonly reason?: string;
  };
}

export type Publish = (watcher: string, topic: Topic, body?: Omit<CircusEvent["body"], "time">) => void;

/** The name of a watcher as it stands in topics. */
export function topicName(watcher: string): string {
  return watcher.toLowerCase().replaceAll(" ", "_");
}

/** Messages waiting to be sent. Sending to PUB never blocks, so a queue this long means a bug: the rest is dropped. */
const QUEUE_MAX = 1_000;

/** Sends one message after the other: zeromq.js allows one send at a time on a socket. */
export class TopicSocket {
  #queue: [string, string][] = [];
  #sending = false;

  private constructor(private readonly binding: Binding<Publisher>) {}

  /** @throws {CircusError} OS when the endpoint cannot be bound. */
  static async open(endpoint: string, owner: string | undefined): Promise<TopicSocket> {
    return new TopicSocket(await bindPublisher(endpoint, owner));
  }

  publish(topic: string, body: object): void {
    if (this.#queue.length < QUEUE_MAX) this.#queue.push([topic, JSON.stringify(body)]);
    if (!this.#sending) void this.#send();
  }

  close(): void {
    this.#queue = [];
    this.binding.close();
  }

  async #send(): Promise<void> {
    this.#sending = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      if (this.binding.socket.closed) break;
      try {
        await this.binding.socket.send(next);
      } catch {
        break; // Closed while sending.
      }
    }
    this.#sending = false;
  }
}
