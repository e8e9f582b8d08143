// keeper: holds every client's connection and reads nothing, so that there is never a reason to restart it.
//
//   HAProxy --> [in-clients] --> Keeper --> [out-edge] edge process (replaceable)
//
//   node dist/services/keeper/main.js --listen unix:/run/headframe/keeper.sock -- node dist/bin/headframe.js run edge
//
// A second edge process stands by, loaded, so that clients wait milliseconds when the first one is killed; --no-standby saves its
// memory (about 80 MB) for a wait of about a second.
//
// Signals: SIGHUP hands every client over to a fresh edge process, losing nothing; SIGTERM and SIGINT close the clients, end
// the edge and leave. Killing an edge (even -9) is harmless; killing the keeper -9 disconnects its clients.

import type { Server, Socket } from "node:net";
import { parseArgs } from "node:util";
import type { EdgeEpochVariable, EdgeStandbyVariable, KeeperDoorsVariable } from "../../lib/contracts/index.js";
import { openDoor, parseDoor, placeOf } from "./in-clients.js";
import { Keeper } from "./keeper.js";
import { forkEdge } from "./out-edge.js";

const EPOCH_VARIABLE: EdgeEpochVariable = "HEADFRAME_EDGE_EPOCH";
const STANDBY_VARIABLE: EdgeStandbyVariable = "HEADFRAME_EDGE_STANDBY";
const DOORS_VARIABLE: KeeperDoorsVariable = "HEADFRAME_KEEPER_DOORS";
/** An edge that does not end by itself within this time is killed, so that a stop always ends. */
const STOP_MS = 5_000;
const STOP_LOOK_MS = 20;

const log = (event: string, fields = {}) =>
  process.stdout.write(
    `${JSON.stringify({ time: Date.now(), name: "keeper", pid: process.pid, msg: event, ...fields })}\n`,
  );

function readFlags() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      listen: { type: "string", multiple: true, default: [] },
      mode: { type: "string", default: "600" },
      "max-connections": { type: "string", default: "50000" },
      "handover-ms": { type: "string", default: "30000" },
      "no-standby": { type: "boolean", default: false },
    },
  });
  const mode = Number.parseInt(values.mode, 8);
  const doors = values.listen.map((text) => parseDoor(text, mode));
  const counts = { clientsMax: Number(values["max-connections"]), handoverMs: Number(values["handover-ms"]) };
  if (doors.length === 0) throw new Error("no --listen: expected at least one [NAME=]unix:/path or [NAME=]HOST:PORT");
  if (positionals.length === 0)
    throw new Error("no edge command: give it after --, such as -- node dist/bin/headframe.js run edge");
  if (!(mode >= 0 && mode <= 0o777))
    throw new Error(`--mode ${values.mode}: expected octal file permissions, such as 600`);
  for (const [name, value] of Object.entries(counts)) {
    if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${name}: expected a whole number above 0`);
  }
  return { doors, limits: { ...counts, standby: !values["no-standby"] }, command: positionals };
}

async function main(): Promise<void> {
  process.stdout.on("error", () => {}); // Whoever read our log is gone: no reason to lose the clients.
  const { doors, limits, command } = readFlags();
  const running = new Set<number>();
  const keeper: Keeper<Socket> = new Keeper(
    {
      fork(epoch, standby) {
        running.add(epoch);
        const environment = {
          [EPOCH_VARIABLE]: String(epoch),
          [STANDBY_VARIABLE]: standby ? "1" : "0",
          [DOORS_VARIABLE]: doors.map(placeOf).join(" "),
        };
        return forkEdge(command, environment, epoch, {
          heard: (edge, message) => keeper.heard(edge, message),
          ended: (edge, how) => {
            running.delete(edge.epoch);
            keeper.ended(edge, how);
          },
        });
      },
      later(ms, what) {
        const timer = setTimeout(what, ms);
        return () => clearTimeout(timer);
      },
      nowMs: () => performance.now(),
      log,
    },
    limits,
  );
  const servers: Server[] = [];
  for (const door of doors) servers.push(await openDoor(door, (socket, origin) => keeper.accept(socket, origin)));
  keeper.start();
  process.on("SIGHUP", () => keeper.replace());
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop(keeper, servers, running));
  log("listening", { doors: doors.map((door) => door.name), ...limits });
}

function stop(keeper: Keeper<Socket>, servers: readonly Server[], running: ReadonlySet<number>): void {
  log("stopping", { clients: keeper.size, refused: keeper.refused });
  for (const server of servers) server.close(); // Removes the socket files, too.
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

main().catch((error: Error) => {
  process.stderr.write(`keeper: ${error.message}\n`);
  process.exit(2);
});
