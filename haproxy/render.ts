// render: writes haproxy.cfg from settings and keepers. Pure: the same input gives the same text.
//
//   client --> frontend (one a listener: bans, limits, first byte, id) --> backend keepers --PROXY v2 + id--> keeper
//
//   V1. Every connection gets a unique id (a uuid in sess.uid), and the keeper's edge gets `LISTENER/ID` with the PROXY header.
//       The uuid goes through a variable because %[uuid()] right in unique-id-format corrupts the header towards unix sockets.
//   V2. What cannot be a client is closed before it costs a connection to the keeper: another first byte at once, silence (or white space
//       that no right character follows) after firstByteMs.
//   V3. Nothing here ever closes a client because of the keeper's health: no `on-marked-down shutdown-sessions`.

import { createHash } from "node:crypto";
import { SOURCE_BITS_V6 } from "../lib/contracts/index.js";
import { commandWord, type HaproxyPaths, word } from "./paths.js";
import type { HaproxySettings, KeeperAddress, Listener } from "./settings.js";
import { bindAddress, DESCRIPTION, head, PEERS, peers, prometheus, SOURCES_EXPIRE, SOURCES_MAX } from "./template.js";

export const KEEPERS_BACKEND = "keepers";

const MARK_CHARACTERS = 12;
/** What JSON allows before a line's first character, and scripts send: a byte-order mark, and white space (RFC 8259, 2). In hex. */
const BOM = "EFBBBF";
const SPACES = ["09", "0A", "0D", "20"];
/** What a server is given in any case; a server that is added at run time inherits no default-server. */
const SERVER_OPTIONS =
  "check inter 2s downinter 200ms fall 3 rise 1 weight 100 send-proxy-v2 proxy-v2-options unique-id,ssl";

/** The frontend's name of a listener, as `show stat` lists it. */
export function frontendName(listener: { readonly name: string }): string {
  return `from_${listener.name}`;
}

/** @throws {Error} without a keeper: HAProxy would accept clients that nobody serves. */
export function renderHaproxy(
  settings: HaproxySettings,
  keepers: readonly KeeperAddress[],
  paths: HaproxyPaths,
): string {
  if (keepers.length === 0) throw new Error("HAProxy needs at least one keeper to give the clients to");
  return whole(settings, keepers, paths, templateMark(settings, paths));
}

/**
 * Names what takes a reload to change: everything but the keepers, which can be changed while HAProxy runs. A running HAProxy
 * tells the mark that it was started with (`description` in `show info`).
 */
export function templateMark(settings: HaproxySettings, paths: HaproxyPaths): string {
  return createHash("sha256")
    .update(whole(settings, [], paths, ""))
    .digest("hex")
    .slice(0, MARK_CHARACTERS);
}

/** The mark of a written haproxy.cfg. Undefined: it is not one of ours. */
export function templateMarkIn(text: string): string | undefined {
  return new RegExp(`^ {4}description ${DESCRIPTION}([0-9a-f]{${MARK_CHARACTERS}})$`, "m").exec(text)?.[1];
}

function whole(
  settings: HaproxySettings,
  keepers: readonly KeeperAddress[],
  paths: HaproxyPaths,
  mark: string,
): string {
  return [
    head(settings, paths, mark),
    settings.peersPort === undefined ? "" : peers(settings.peersPort),
    ...settings.listeners.map((listener) => frontend(listener, settings, paths)),
    backend(keepers),
    settings.prometheus ? prometheus(settings.prometheus) : "",
  ].join("");
}

function frontend(listener: Listener, settings: HaproxySettings, paths: HaproxyPaths): string {
  const counters = `stick-table type ipv6 size ${SOURCES_MAX} expire ${SOURCES_EXPIRE} store conn_cur,conn_rate(10s),gpc0`;
  const name = frontendName(listener);
  // As early as the client's own address is known: before a TLS handshake, but behind a PROXY header.
  const stage = listener.acceptProxy ? "session" : "connection";
  const reject = (rule: string) => `tcp-request ${stage} reject if { ${rule} }`;
  return section(`frontend ${name}`, [
    bindLine(listener),
    `maxconn ${listener.connectionsMax}`,
    settings.peersPort === undefined ? counters : `${counters} peers ${PEERS}`,
    ...balancerRules(listener),
    reject(`src -f ${word(paths.banned)}`),
    `tcp-request ${stage} track-sc0 src,ipmask(32,${SOURCE_BITS_V6})`,
    reject(`sc0_conn_cur gt ${listener.connectionsPerAddress}`),
    reject(`sc0_conn_rate gt ${listener.newPer10sPerAddress}`),
    "tcp-request session set-var(sess.uid) uuid()",
    `unique-id-format ${listener.name}/%[var(sess.uid)]`,
    ...firstByteRules(listener),
    `default_backend ${KEEPERS_BACKEND}`,
  ]);
}

/** At this stage the address is still that of the balancer itself: whoever else comes could claim to be anybody. */
function balancerRules({ acceptProxy, acceptProxyFrom }: Listener): string[] {
  if (!acceptProxy || acceptProxyFrom.length === 0) return [];
  return [`tcp-request connection reject unless { src ${acceptProxyFrom.join(" ")} }`];
}

/** V2 */
function firstByteRules({ firstByte, firstByteMs }: Listener): string[] {
  if (firstByte === "") return [];
  const digits = Buffer.from(firstByte).toString("hex").toUpperCase();
  const begins = word(`^(${BOM})?(${SPACES.join("|")})*${digits}`);
  return [
    `tcp-request inspect-delay ${firstByteMs}ms`,
    // In this order: as long as more may come, HAProxy waits at the first rule that looks at all there is.
    `tcp-request content reject unless { req.payload(0,1),hex -m str ${[digits, ...SPACES, BOM.slice(0, 2)].join(" ")} }`,
    `tcp-request content accept if { req.payload(0,0),hex -m reg ${begins} }`,
    "tcp-request content reject if WAIT_END",
  ];
}

function bindLine({ host, port, tls, acceptProxy }: Listener): string {
  return `bind ${bindAddress(host, port)}${tls ? ` ssl crt ${word(tls.pem)}` : ""}${acceptProxy ? " accept-proxy" : ""}`;
}

function backend(keepers: readonly KeeperAddress[]): string {
  return section(`backend ${KEEPERS_BACKEND}`, [
    "balance leastconn",
    "option redispatch",
    "retries 3",
    // Checks only connect (a LOCAL header, then goodbye): a keeper holds clients also while no backend answers.
    // One that is back is found at once.
    `default-server ${SERVER_OPTIONS}`,
    ...keepers.map(({ name, at }) => `server ${name} ${"path" in at ? word(serverAddress(at)) : serverAddress(at)}`),
  ]);
}

function section(title: string, lines: readonly string[]): string {
  return `\n${title}\n${lines.map((line) => `    ${line}\n`).join("")}`;
}

/** Runtime commands that add a keeper to the running HAProxy: a server starts in maintenance and without checks. */
export function addingCommands({ name, at }: KeeperAddress): string[] {
  const server = `${KEEPERS_BACKEND}/${name}`;
  return [
    `add server ${server} ${commandWord(serverAddress(at))} ${SERVER_OPTIONS}`,
    `enable health ${server}`,
    `enable server ${server}`,
  ];
}

/** Runtime commands that remove a server. Only for a keeper that is gone: they end what sessions there are. */
export function removingCommands(name: string): string[] {
  const server = `${KEEPERS_BACKEND}/${name}`;
  return [`set server ${server} state maint`, `shutdown sessions server ${server}`, `del server ${server}`];
}

function serverAddress(at: KeeperAddress["at"]): string {
  return "path" in at ? `unix@${at.path}` : bindAddress(at.host, at.port);
}
