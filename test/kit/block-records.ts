// block-records: STAND-IN for the reporter, which remembers what jobmanagers tell of blocks.

import { type BlockRecord, type ReporterContract, reporter } from "../../lib/contracts/index.js";
import type { House, Implementation } from "../../lib/wiring/index.js";
import { atEnd } from "./cleanup.js";

/** Remembers the records of blocks, and knows the given ones. */
export async function hostReporter(
  house: House,
  known: readonly BlockRecord[] = [],
): Promise<Omit<BlockRecord, "round">[]> {
  const records: Omit<BlockRecord, "round">[] = [];
  const unused = (): never => {
    throw new Error("the jobmanager has no business here");
  };
  const implementation: Implementation<ReporterContract> = {
    recordBlock: (record) => {
      records.push(record);
      return {};
    },
    blocks: () => ({ blocks: [...known] }),
    recordShares: unused,
    recordRejects: unused,
    known: unused,
    status: unused,
    pool: unused,
    workers: unused,
    rounds: unused,
    roundWorkers: unused,
    shares: unused,
  };
  const hosted = await house.nexus.host(reporter, implementation);
  atEnd(() => hosted.close());
  return records;
}
