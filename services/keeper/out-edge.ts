// The edge process: forked with an IPC channel, given sockets as duplicates.
//
//   Keeper --EdgePort--> child process (its stdout and stderr are the keeper's)
//
// Node sends one handle at a time over a channel and waits for its receipt, so thousands of sockets take their turns in
// Node's own queue: at most one entry a client, bounded by the number of clients.

import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import type { EdgeSays } from "../../lib/contracts/index.js";
import type { EdgePort } from "./keeper.js";

export interface EdgeListener {
  heard(edge: EdgePort<Socket>, message: EdgeSays): void;
  ended(edge: EdgePort<Socket>, how: string): void;
}

/**
 * @param command The edge's command line: program, then arguments. Never empty.
 * @param environment Added to the keeper's own.
 */
export function forkEdge(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
  epoch: number,
  listener: EdgeListener,
): EdgePort<Socket> {
  const [program = process.execPath, ...args] = command;
  const child = spawn(program, args, {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    serialization: "advanced",
  });
  const edge: EdgePort<Socket> = {
    epoch,
    pid: child.pid,
    tell: (message, socket) => send(child, message, socket),
    signal: (name) => void child.kill(name),
  };
  child.on("message", (message) => listener.heard(edge, message as EdgeSays));
  onceEnded(child, (how) => listener.ended(edge, how));
  return edge;
}

/** A failed send needs no care: the channel is broken because the edge is ending, and then every client is given again. */
function send(child: ChildProcess, message: object, socket?: Socket): void {
  if (!child.connected) return;
  if (socket) child.send(message, socket, { keepOpen: true }, () => {});
  else child.send(message, () => {});
}

/** `exit`, or `error` when the program could not be started at all: exactly one of them counts. */
function onceEnded(child: ChildProcess, ended: (how: string) => void): void {
  let done = false;
  const once = (how: string) => {
    if (done) return;
    done = true;
    ended(how);
  };
  child.on("exit", (code, signal) => once(signal ?? `exit code ${code}`));
  child.on("error", (error) => {
    if (child.pid === undefined) once(`cannot start: ${error.message}`);
  });
}
