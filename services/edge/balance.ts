// balance: which backend a connection goes to, and which connections should move. Pure.

import type { Backend } from "./backend.js";
import type { Connection } from "./connection.js";

/** Loads that differ by less than this are in balance: moving costs more than it gains. */
const SLACK = 8;

function usable(backends: Iterable<Backend>, nowMs: number): Backend[] {
  return [...backends].filter((backend) => backend.usable(nowMs));
}

/**
 * Where the next connection goes; undefined: no backend takes any.
 *
 * A backend under suspicion that is heard again is better than none: where it is the only one left, it gets everybody.
 */
export function leastLoaded(backends: Iterable<Backend>, nowMs: number): Backend | undefined {
  const all = [...backends];
  const trusted = usable(all, nowMs);
  return (trusted.length > 0 ? trusted : all.filter((backend) => backend.bearable(nowMs))).reduce<Backend | undefined>(
    (least, backend) => (least && least.connections.size <= backend.connections.size ? least : backend),
    undefined,
  );
}

/** At most `atMost` connections of the most loaded backend that would better be with the least loaded one (B5), and wait for nothing. */
export function surplus(backends: Iterable<Backend>, nowMs: number, atMost: number): Connection[] {
  if (atMost === 0) return [];
  const sorted = usable(backends, nowMs).sort((a, b) => a.connections.size - b.connections.size);
  const most = sorted.at(-1)?.connections;
  const least = sorted.find((backend) => backend.settled(nowMs))?.connections;
  if (!most || !least) return [];
  const count = Math.min(atMost, Math.floor((most.size - least.size - SLACK) / 2));
  const idle: Connection[] = [];
  for (const connection of most.values()) {
    if (idle.length >= count) break;
    if (connection.lines.length === 0) idle.push(connection);
  }
  return idle;
}
