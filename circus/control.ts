// The control endpoint: Circus's protocol on a ROUTER socket.
//
//   circusctl, client.ts -- one JSON frame {id, command, properties, msg_type?} --> Control -> commands.ts -> Arbiter
//                        <-- {status: "ok", time, ..., id} or {status: "error", reason, tb, time, errno, id} --
//
//   E1. errno: 1 not JSON, 2 unknown command, 3 the message is wrong (a property is missing, no such watcher, a bad option),
//       4 the operating system refused, 5 the command failed, 6 JSON of the wrong shape.
//   E2. `msg_type: "cast"` gets no reply, whatever becomes of it.
//   E3. No message, however wrong, disturbs another client or the manager. Both DEALER and REQ clients are answered: the
//       frames before the last one come back as they came.
//   E4. Commands that take time are answered at once, unless `waiting` is true.

import type { Router } from "zeromq";
import type { Arbiter } from "./arbiter.js";
import { COMMANDS, UNSUPPORTED_COMMANDS } from "./commands.js";
import { pause } from "./crew.js";
import { type Binding, bindRouter } from "./endpoint.js";
import { CircusError, reasonOf } from "./errors.js";
import type { Outcome } from "./properties.js";

export const ERRNO = { json: 1, unknown: 2, message: 3, os: 4, command: 5, data: 6 } as const;

/** Commands under way at once; each may wait for a process. More is a client in a loop. */
const RUNNING_MAX = 256;
/** A reply that cannot be sent for this long has no reader. */
const FLUSH_MS = 500;

interface Request {
  readonly id: unknown;
  readonly command: string;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly cast: boolean;
}

export class Control {
  #running = 0;
  #sending: Promise<void> = Promise.resolve();
  readonly #loop: Promise<void>;

  private constructor(
    private readonly binding: Binding<Router>,
    private readonly arbiter: Arbiter,
  ) {
    this.#loop = this.#listen();
  }

  static async open(endpoint: string, owner: string | undefined, arbiter: Arbiter): Promise<Control> {
    return new Control(await bindRouter(endpoint, owner), arbiter);
  }

  /** Sends what has been answered, then closes the endpoint. */
  async close(): Promise<void> {
    const sent = new AbortController();
    void this.#sending.then(() => sent.abort());
    await pause(FLUSH_MS, sent.signal);
    this.binding.close();
    await this.#loop;
  }

  async #listen(): Promise<void> {
    try {
      for await (const frames of this.binding.socket) {
        this.#handle(frames).catch((error) => this.arbiter.log.error(`a message was not answered: ${reasonOf(error)}`)); // E3
      }
    } catch (error) {
      if (!this.binding.socket.closed) this.arbiter.log.error(`the control endpoint failed: ${reasonOf(error)}`);
    }
  }

  async #handle(frames: readonly Buffer[]): Promise<void> {
    const reply = (body: object): void => this.#send([...frames.slice(0, -1), Buffer.from(JSON.stringify(body))]);
    const request = readRequest(frames.at(-1) ?? Buffer.alloc(0));
    if ("reason" in request) return reply(failure(request.errno, request.reason, request.id));
    const { id, cast } = request;
    const body = await this.#run(request);
    if (!cast) reply({ ...body, id }); // E2
    if (request.command === "quit" && !("errno" in body)) await this.#quit();
  }

  async #run({ command, properties, id }: Request): Promise<object> {
    if (this.#running >= RUNNING_MAX) return failure(ERRNO.command, `${RUNNING_MAX} commands are under way`, id);
    const run = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;
    if (run === undefined) return failure(ERRNO.unknown, unknown(command), id);
    this.#running++;
    try {
      const fields = await this.#outcome(command, run(this.arbiter, properties), properties);
      return { status: "ok", time: seconds(), ...fields };
    } catch (error) {
      const errno = error instanceof CircusError ? error.errno : ERRNO.command;
      return failure(errno, reasonOf(error), id);
    } finally {
      this.#running--;
    }
  }

  /** E4. */
  async #outcome(command: string, outcome: Outcome, properties: Request["properties"]): Promise<object> {
    const { now = {}, later } = outcome;
    if (properties.waiting === true) return { ...now, ...(await later?.()) };
    later?.().catch((error) => this.arbiter.log.error(`command ${command} failed: ${reasonOf(error)}`));
    return now;
  }

  async #quit(): Promise<void> {
    await this.#sending;
    await this.arbiter.close();
  }

  /** One send at a time: zeromq.js allows no more. */
  #send(frames: readonly (Buffer | string)[]): void {
    this.#sending = this.#sending.then(async () => {
      try {
        await this.binding.socket.send([...frames]);
      } catch {
        // The client has gone, or the endpoint is closed: nobody waits for this.
      }
    });
  }
}

function seconds(): number {
  return Date.now() / 1_000;
}

function failure(errno: number, reason: string, id: unknown): object {
  return { status: "error", reason, tb: null, time: seconds(), errno, id };
}

function unknown(command: string): string {
  const why = Object.hasOwn(UNSUPPORTED_COMMANDS, command) ? UNSUPPORTED_COMMANDS[command] : undefined;
  if (why !== undefined) return `unknown command: '${command}' is not supported here: ${why}`;
  return `unknown command: '${command.slice(0, 64)}'; known are ${Object.keys(COMMANDS).join(", ")}`;
}

function readRequest(
  frame: Buffer,
): Request | { readonly errno: number; readonly reason: string; readonly id: unknown } {
  let message: unknown;
  try {
    message = JSON.parse(frame.toString("utf8"));
  } catch {
    return { errno: ERRNO.json, reason: "json invalid", id: null };
  }
  if (!isObject(message)) return { errno: ERRNO.data, reason: "the message is no JSON object", id: null };
  const { id = null, command, properties = {}, msg_type } = message;
  // It goes back as it came: something nested deeply enough could not be written again.
  if (id !== null && typeof id !== "string" && typeof id !== "number") {
    return { errno: ERRNO.data, reason: "`id` is no text, number or null", id: null };
  }
  if (typeof command !== "string") return { errno: ERRNO.data, reason: "`command` is no text", id };
  if (!isObject(properties)) return { errno: ERRNO.data, reason: "`properties` is no JSON object", id };
  return { id, command: command.toLowerCase(), properties, cast: msg_type === "cast" };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
