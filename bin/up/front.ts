// The front door of a pool that runs here: HAProxy's files beside the sockets, before the process manager starts it.

import { join } from "node:path";
import { Haproxy, haproxyPaths, keeperAddress } from "../../haproxy/index.js";
import type { Config } from "../config.js";
import type { RunDirectory } from "./run-directory.js";

/** As circus.ini tells the keeper. Others are found by HAProxy's controller. */
const KEEPER_SOCKET = "keeper.sock";

/** @throws {HaproxyError} BAD_CONFIG with HAProxy's own reasons, before anything runs. */
export function prepareHaproxy(config: Config, run: RunDirectory): Promise<Haproxy> {
  const places = [...new Set([`unix:${join(run.sockets, KEEPER_SOCKET)}`, ...config.haproxy.keepers])].sort();
  const keepers = places.flatMap((place) => keeperAddress(place) ?? []);
  return Haproxy.prepare(config.haproxy, keepers, haproxyPaths(run.sockets));
}
