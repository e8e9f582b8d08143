// A client of the control protocol: what circusctl is for a shell, for a program.
//
//   await callCircus("ipc:///run/headframe/circus.sock", "incr", { name: "stratum" })
//
// Speaks to ours and to a real circusd.

import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { Dealer } from "zeromq";
import { ipcPath } from "./endpoint.js";

export type CircusReply = Readonly<Record<string, unknown>> & { readonly status: string; readonly time: number };

/** The manager answered with an error, or not at all. */
export class CircusCallError extends Error {
  override readonly name = "CircusCallError";

  constructor(
    message: string,
    /** The protocol's number; undefined when there was no answer. */
    readonly errno?: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export interface CallOptions {
  /** Whole budget. Default 5_000, and 120_000 with `waiting: true`: that waits for processes to end. */
  readonly timeoutMs?: number;
}

/**
 * Sends one command, waits for its reply.
 *
 * @throws {CircusCallError} with `errno` when the manager refused, without when nothing answered in time: then the command
 *   may have been carried out or not.
 */
export async function callCircus(
  endpoint: string,
  command: string,
  properties: Readonly<Record<string, unknown>> = {},
  options: CallOptions = {},
): Promise<CircusReply> {
  const file = ipcPath(endpoint);
  if (file !== undefined && !existsSync(file)) {
    throw new CircusCallError(`no manager listens at ${endpoint}: there is no such socket; is it running?`);
  }
  const timeoutMs = options.timeoutMs ?? (properties.waiting === true ? 120_000 : 5_000);
  const socket = new Dealer({ linger: 0, receiveTimeout: timeoutMs, sendTimeout: timeoutMs });
  try {
    socket.connect(endpoint);
    const id = randomUUID();
    await socket.send(JSON.stringify({ id, command, properties }));
    return checked(command, await receive(socket, endpoint, timeoutMs));
  } finally {
    socket.close();
  }
}

async function receive(socket: Dealer, endpoint: string, timeoutMs: number): Promise<unknown> {
  try {
    const frames = await socket.receive();
    return JSON.parse(frames.at(-1)?.toString("utf8") ?? "");
  } catch (error) {
    throw new CircusCallError(`no answer from ${endpoint} within ${timeoutMs} ms`, undefined, { cause: error });
  }
}

function checked(command: string, reply: unknown): CircusReply {
  if (typeof reply !== "object" || reply === null || !("status" in reply)) {
    throw new CircusCallError(`${command}: the answer is not of Circus's protocol`);
  }
  const { status, reason, errno } = reply as { status: unknown; reason?: unknown; errno?: unknown };
  if (status === "error")
    throw new CircusCallError(`${command}: ${reason}`, typeof errno === "number" ? errno : undefined);
  return reply as CircusReply;
}
