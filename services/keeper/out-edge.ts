// The edge process: forked with an IPC channel, given sockets as duplicates.
//
//   Keeper --EdgePort--> child process (its stdout and stderr are the keeper's)
//
// Node sends one handle at a time over a channel and waits for its receipt, so thousands of sockets take their turns (turns.ts).

import { type ChildProcess, spawn } from "node:child_process";
import type { Server, Socket } from "node:net";
import type { EdgeSays, SuccessorHears } from "../../lib/contracts/index.js";
import { processMark } from "../../lib/process-mark.js";
import type { EdgePort } from "./ports.js";
import { Turns } from "./turns.js";
import type { Watched } from "./watch.js";

export interface EdgeListener {
  heard(edge: EdgeProcess, message: EdgeSays): void;
  ended(edge: EdgeProcess, how: string): void;
}

/** An edge, or a successor. */
export interface EdgeProcess extends EdgePort<Socket>, Watched {
  give(message: SuccessorHears, door?: Server): void;
}

/**
 * @param command The edge's command line: program, then arguments. Never empty.
 * @param environment Added to the keeper's own.
 * @param options.detached In a process group of its own, out of reach of whoever clears up after this process.
 */
export function forkEdge(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
  epoch: number,
  listener: EdgeListener,
  options: { readonly detached?: boolean } = {},
): EdgeProcess {
  const [program = process.execPath, ...args] = command;
  const child = spawn(program, args, {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    serialization: "advanced",
    detached: options.detached ?? false,
  });
  const turns = new Turns<Socket | Server>((message, handle, sent) => send(child, message, handle, sent));
  const edge: EdgeProcess = {
    epoch,
    pid: child.pid,
    mark: child.pid === undefined ? undefined : processMark(child.pid),
    tell: (message, socket) => turns.send(message, socket),
    give: (message, door) => turns.send(message, door),
    get open() {
      return child.connected;
    },
    ping: (sent) => void send(child, { kind: "ping" }, undefined, sent),
    signal: (name) => void child.kill(name),
  };
  child.on("message", (message) => listener.heard(edge, message as EdgeSays));
  onceEnded(child, (how) => listener.ended(edge, how));
  return edge;
}

/** A failed send needs no care: the channel is broken because the edge is ending, and then every client is given again. */
function send(child: ChildProcess, message: object, handle: Socket | Server | undefined, sent: () => void): boolean {
  if (!child.connected) return false;
  if (handle) child.send(message, handle, { keepOpen: true }, sent);
  else child.send(message, sent);
  return true;
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
