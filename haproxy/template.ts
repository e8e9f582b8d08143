// template: the parts of haproxy.cfg that do not depend on how many listeners and keepers there are, with their reasons.
//
// The reasons stand in the written file, too: an operator reads that one.

import { type HaproxyPaths, word } from "./paths.js";
import type { HaproxySettings } from "./settings.js";

/** Keepalive probes towards clients: a dead one is noticed within 60 + 4 x 15 s, a silent one costs nothing. */
const KEEPALIVE = { idle: "60s", interval: "15s", count: 4 } as const;
/** A half-closed connection (a client that said goodbye) does not stay for `idleMs`. */
const HALF_CLOSED = "30s";
/** Sources remembered for the limits per address; some 100 bytes each. */
export const SOURCES_MAX = "100k";
export const SOURCES_EXPIRE = "10m";
export const PEERS = "over_reloads";
export const PEER_NAME = "local";
export const DESCRIPTION = "headframe-";

/** @param mark Says which template this is (render.ts). */
export function head(settings: HaproxySettings, paths: HaproxyPaths, mark: string): string {
  return `# Written by headframe. Changes here are lost; change headframe's configuration.
#
# Never set hard-stop-after or mworker-max-reloads: they close clients that an old worker still serves after a reload.

global
${settings.connectionsMax === undefined ? "" : `    maxconn ${settings.connectionsMax}\n`}    stats socket ${word(paths.stats)} mode 600 level admin expose-fd listeners
    # Without this a second HAProxy on the same port would take half of the clients, and nobody would be told. A reload is not
    # affected: the new worker is given the old one's sockets.
    noreuseport
    stats timeout 1m
    server-state-file ${word(paths.serverState)}
    description ${DESCRIPTION}${mark}
${settings.extraGlobal.map((line) => `    ${line}\n`).join("")}
defaults
    mode tcp
    timeout connect ${settings.keeperConnectMs}ms
    timeout client ${settings.idleMs}ms
    timeout server ${settings.idleMs}ms
    timeout client-fin ${HALF_CLOSED}
    timeout server-fin ${HALF_CLOSED}
    timeout check 5s
    option clitcpka
    clitcpka-idle ${KEEPALIVE.idle}
    clitcpka-intvl ${KEEPALIVE.interval}
    clitcpka-cnt ${KEEPALIVE.count}
    option dontlognull
    load-server-state-from-file global
`;
}

export function peers(port: number): string {
  return `
# The old worker tells the new one how many connections each address has.
peers ${PEERS}
    peer ${PEER_NAME} 127.0.0.1:${port}
`;
}

export function prometheus({ host, port }: { readonly host: string; readonly port: number }): string {
  return `
frontend prometheus
    mode http
    timeout client 10s
    bind ${bindAddress(host, port)}
    http-request use-service prometheus-exporter if { path /metrics }
    http-request deny deny_status 404
`;
}

export function bindAddress(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
