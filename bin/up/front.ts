// The front door of a pool that runs here: HAProxy's files beside the sockets, before the process manager starts it.

import { join } from "node:path";
import { Haproxy, haproxyPaths } from "../../haproxy/index.js";
import type { Config } from "../config.js";
import type { RunDirectory } from "./run-directory.js";

/** As circus.ini tells the keeper. */
const KEEPER_SOCKET = "keeper.sock";

/** @throws {HaproxyError} BAD_CONFIG with HAProxy's own reasons, before anything runs. */
export function prepareHaproxy(config: Config, run: RunDirectory): Promise<Haproxy> {
  const keeper = { name: "keeper", at: { path: join(run.sockets, KEEPER_SOCKET) } };
  return Haproxy.prepare(config.haproxy, [keeper], haproxyPaths(run.sockets));
}
