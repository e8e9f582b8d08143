// keeper: holds every client's connection and reads nothing, so that there is hardly ever a reason to restart it.
//
//   HAProxy --> [in-clients] --> Keeper --> [out-edge] edge process (replaceable)
//                                  '------> its successor, another keeper --[in-predecessor]--> Keeper ...
//
//   node dist/services/keeper/main.js --listen unix:/run/headframe/keeper.sock -- node dist/bin/headframe.js run edge
//
// A second edge process stands by, loaded, so that clients wait milliseconds when the first one is killed; --no-standby saves its
// memory (about 80 MB) for a wait of about a second.
//
// An edge that says nothing for 600 ms stands still, with everybody's connection: it is killed and the next one has them.
// --silence-ms makes that longer; 0 leaves it alone, as a debugger asks for.
//
// Signals: SIGHUP hands every client over to a fresh edge process, losing nothing. SIGUSR2 starts a fresh keeper by the same
// command line, gives it every client and every listening socket, and ends; its process group is its own, and whoever watches
// this process finds it by PredecessorVariable in its environment. SIGTERM and SIGINT close the clients, end the edge and leave.
// Killing an edge (even -9) is harmless; killing the keeper -9 disconnects its clients.

import type { Socket } from "node:net";
import type {
  EdgeEpochVariable,
  EdgeSays,
  EdgeStandbyVariable,
  KeeperDoorsVariable,
  KeeperEvent,
} from "../../lib/contracts/index.js";
import { standardLines } from "../../lib/log/index.js";
import { type OpenDoor, openDoor, placeOf, takeDoor } from "./in-clients.js";
import { fewer, openFilesMax } from "./in-files.js";
import { readFlags } from "./in-flags.js";
import { Predecessor, readSuccession } from "./in-predecessor.js";
import { Keeper } from "./keeper.js";
import { letOthersGoFirst } from "./out-courtesy.js";
import { type EdgeListener, forkEdge } from "./out-edge.js";
import { Successor } from "./out-successor.js";
import { Watch } from "./watch.js";

const EPOCH_VARIABLE: EdgeEpochVariable = "HEADFRAME_EDGE_EPOCH";
const STANDBY_VARIABLE: EdgeStandbyVariable = "HEADFRAME_EDGE_STANDBY";
const DOORS_VARIABLE: KeeperDoorsVariable = "HEADFRAME_KEEPER_DOORS";
/** An edge that does not end by itself within this time is killed, so that a stop always ends. */
const STOP_MS = 5_000;
const STOP_LOOK_MS = 20;
/** After an upgrade an edge of ours may still be saying goodbye to discovery. */
const LEAVE_MS = 2_000;

const TOO_FEW_FILES: KeeperEvent =
  "fewer clients are kept than --max-connections says: each needs an open file; raise the limit (ulimit -n, LimitNOFILE)";

const log = (event: KeeperEvent, fields = {}) =>
  standardLines(1).write(
    `${JSON.stringify({ time: Date.now(), name: "keeper", pid: process.pid, msg: event, ...fields })}\n`,
  );

async function main(): Promise<void> {
  const { doors, limits: wanted, silenceMs, command } = readFlags();
  const files = openFilesMax();
  const clientsMax = fewer(wanted.clientsMax, files);
  const limits = clientsMax === undefined ? wanted : { ...wanted, clientsMax };
  if (clientsMax !== undefined) log(TOO_FEW_FILES, { openFiles: files, wanted: wanted.clientsMax, clientsMax });
  const succession = readSuccession();
  const open: OpenDoor[] = [];
  /** Edges and successors that run. */
  const running = new Set<number>();
  /** Of edges that load behind everybody else, by epoch: the way back. */
  const patient = new Map<number, (gone?: boolean) => void>();
  const hurry = (epoch: number, gone = false) => {
    patient.get(epoch)?.(gone);
    patient.delete(epoch);
  };
  const accept: Parameters<typeof openDoor>[1] = (socket, origin) => keeper.accept(socket, origin);
  const listener: EdgeListener = {
    heard: (edge, message) => {
      watch.heard(edge, message);
      if (message.kind === "ready" || message.kind === "standby") hurry(edge.epoch);
      keeper.heard(edge, message);
    },
    ended: (edge, how) => {
      watch.ended(edge);
      running.delete(edge.epoch);
      hurry(edge.epoch, true);
      if (predecessor?.giving && open.length === 0) fail(`the edge ended before it was ready: ${how}`);
      keeper.ended(edge, how);
    },
  };
  const later = (ms: number, what: () => void) => {
    const timer = setTimeout(what, ms);
    return () => clearTimeout(timer);
  };
  const nowMs = () => performance.now();
  const watch = new Watch(silenceMs, { later, nowMs, log });
  const successor = new Successor(open, listener, openAll, () => {
    log("upgrade done: the successor has every client");
    leave(running);
  });
  const keeper: Keeper<Socket> = new Keeper<Socket>(
    {
      fork(epoch, standby, isPatient) {
        running.add(epoch);
        const environment = {
          [EPOCH_VARIABLE]: String(epoch),
          [STANDBY_VARIABLE]: standby ? "1" : "0",
          [DOORS_VARIABLE]: doors.map(placeOf).join(" "),
        };
        const edge = forkEdge(command, environment, epoch, listener);
        if (isPatient) patient.set(epoch, letOthersGoFirst(edge.pid));
        return edge;
      },
      hurry: ({ epoch }) => hurry(epoch),
      later,
      nowMs,
      log,
      serves: (edge) =>
        successor.is(edge)
          ? successor.shareDoors()
          : predecessor?.tell({ kind: "ready", keeps: true, reaches: keeper.reaches }),
      kept: () => predecessor?.tell({ kind: "kept" }),
      learned: (message: EdgeSays) => predecessor?.tell(message),
      settled: () => successor.giveUp(),
    },
    limits,
    succession,
  );
  const predecessor = succession
    ? new Predecessor({
        client: (message, socket) => keeper.adopt(socket, message),
        keep: (id, socket) => keeper.ahead(id, socket),
        forget: (id) => keeper.forget(id),
        over: () => keeper.forgetAhead(),
        tellKept: () => keeper.tellKept(),
        died: (dead) => keeper.died(dead),
        door: (index, server) => {
          const door = doors[index];
          if (door) open.push(takeDoor(door, server, accept));
        },
        gone: () => {
          if (open.length < doors.length) fail("the old keeper ended before it had given everything");
        },
      })
    : undefined;
  async function openAll(): Promise<void> {
    for (const door of doors) open.push(await openDoor(door, accept));
  }

  if (!predecessor) await openAll();
  keeper.start();
  process.on("SIGHUP", () => keeper.replace());
  process.on("SIGUSR2", () => {
    keeper.upgrade((reserved) => {
      running.add(reserved.epoch);
      return successor.fork(reserved);
    });
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop(keeper, open, running));
  log("listening", { doors: doors.map((door) => door.name), ...limits });
}

function stop(keeper: Keeper<Socket>, doors: readonly OpenDoor[], running: ReadonlySet<number>): void {
  log("stopping", { clients: keeper.size, refused: keeper.refused });
  for (const door of doors) door.shut();
  keeper.stop();
  const giveUpMs = performance.now() + STOP_MS;
  const look = setInterval(() => {
    if (running.size > 0 && performance.now() < giveUpMs) return;
    clearInterval(look);
    keeper.stop("SIGKILL"); // Only what is left.
    keeper.closeAll();
    process.exit(running.size > 0 ? 1 : 0);
  }, STOP_LOOK_MS);
}

/** The last edges of ours end by themselves. Then our duplicates close with us, and nobody sees it. */
function leave(running: ReadonlySet<number>): void {
  const giveUpMs = performance.now() + LEAVE_MS;
  setInterval(() => {
    if (running.size <= 1 || performance.now() >= giveUpMs) process.exit(0); // The one is the successor.
  }, STOP_LOOK_MS);
}

function fail(why: string): never {
  standardLines(2).write(`keeper: ${why}\n`);
  process.exit(1);
}

main().catch((error: Error) => {
  standardLines(2).write(`keeper: ${error.message}\n`);
  process.exit(2);
});
