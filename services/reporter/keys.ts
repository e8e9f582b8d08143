// Where the reporter's facts stand in Redis. All keys carry the installation's hash tag, so its scripts work on a Cluster.

import { key } from "../../lib/wiring/index.js";

export interface ShareKeys {
  /** Stream: the share log. */
  readonly log: string;
  /** Hash: accepted, recorded, difficulty, blocks, rejected:REASON. */
  readonly totals: string;
  /** Sorted set: worker by the time of its last share. */
  readonly workers: string;
  /** Sorted set: block hash by the time it was found. */
  readonly blocks: string;
  /** Number of the open round. */
  readonly round: string;
  /** Held by the one reporter that archives. */
  readonly archiver: string;
  /** Before everything below. */
  readonly prefix: string;
  worker(name: string): string;
  block(hash: string): string;
  /** Before a round's number. */
  readonly roundPrefix: string;
  roundOf(number: number): string;
  /** Sorted set: worker by credited difficulty. */
  roundWorkers(number: number): string;
  /** Hash: hashes by worker, "" for all of them. `width` of the bucket in seconds. */
  bucket(widthMs: number, start: number): string;
  /** Hash: who brought each identity of a height, `connection|line` by its 32 bytes. */
  seen(height: number): string;
  /** Number of a spool's last record that is in the log. */
  spool(id: string): string;
  /** Number of the last turn that a reporter's process had. */
  turn(process: string): string;
}

export function shareKeys(cluster: string): ShareKeys {
  const prefix = key(cluster, "share", "");
  return {
    log: key(cluster, "shares"),
    totals: `${prefix}totals`,
    workers: `${prefix}workers`,
    blocks: `${prefix}blocks`,
    round: `${prefix}round`,
    archiver: `${prefix}archiver`,
    prefix,
    worker: (name) => `${prefix}worker:${name}`,
    block: (hash) => `${prefix}block:${hash}`,
    roundPrefix: `${prefix}round:`,
    roundOf: (number) => `${prefix}round:${number}`,
    roundWorkers: (number) => `${prefix}round:${number}:workers`,
    bucket: (widthMs, start) => `${prefix}rate:${widthMs}:${start}`,
    seen: (height) => `${prefix}seen:${height}`,
    spool: (id) => `${prefix}spool:${id}`,
    turn: (process) => `${prefix}turn:${process}`,
  };
}
