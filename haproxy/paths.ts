// paths: the files that one HAProxy of ours uses, all of them private.

import { join } from "node:path";

export interface HaproxyPaths {
  readonly config: string;
  /** Runtime API of the current worker. */
  readonly stats: string;
  /** Of the master process: lists workers, survives reloads. */
  readonly master: string;
  /** Addresses that are refused, one a line; extended at run time. */
  readonly banned: string;
  /** Weights and states of servers over a reload. */
  readonly serverState: string;
  /** What the controller remembers over its own restarts: keepers, bans. */
  readonly memory: string;
}

/** sun_path holds 108 bytes with its final zero, and HAProxy binds to a temporary name (`NAME.PID.tmp`) first. */
const SOCKET_PATH_BYTES_MAX = 107 - ".1234567.tmp".length;

/**
 * @param directory Of files, mode 700.
 * @param sockets Of unix sockets, mode 700; default: the same.
 * @throws {Error} when `sockets` is too long a name for unix sockets in it.
 */
export function haproxyPaths(directory: string, sockets = directory): HaproxyPaths {
  const [stats, master] = [join(sockets, "haproxy.sock"), join(sockets, "haproxy-master.sock")];
  const over = Buffer.byteLength(master) - SOCKET_PATH_BYTES_MAX;
  if (over > 0) {
    throw new Error(
      `the directory ${sockets} is ${over} bytes too long a name for HAProxy's sockets; choose a shorter one`,
    );
  }
  return {
    config: join(directory, "haproxy.cfg"),
    stats,
    master,
    banned: join(directory, "haproxy-banned.acl"),
    serverState: join(directory, "haproxy-servers.state"),
    memory: join(directory, "haproxy-controller.json"),
  };
}

/** As one word of a runtime command. */
export function commandWord(text: string): string {
  return text.replace(/[\s\\]/g, "\\$&");
}

/** As one word of HAProxy's configuration, whatever characters it has. */
export function word(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
