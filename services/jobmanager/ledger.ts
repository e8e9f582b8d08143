// The ledger of found blocks: what the parts learn of a block, said to everybody who must know.
//
//   out-blocks (first status), out-follow (later ones), reporter (blocks of jobmanagers that are gone)
//        -> Ledger -> push `block`, the reporter's record, log, metrics, and on to out-follow
//
//   A1. A block that was rejected is told and forgotten; any other one is followed.
//   A2. A jobmanager may end with blocks unconfirmed: the senior live one adopts them from the reporter's records.

import { type BlockRecord, type JobmanagerContract, nowMs } from "../../lib/contracts/index.js";
import type { Log, MessageOf, Metrics } from "../../lib/wiring/index.js";
import type { Found, Judged, Report } from "./found.js";
import { shorten } from "./reason.js";

/** A hundred confirmations take hours on any coin; what is older and still open needs a person. */
const ADOPT_AGE_MS = 7 * 86_400_000;

export interface LedgerDeps {
  push(message: MessageOf<JobmanagerContract, "block">): void;
  record(record: Report): void;
  follow(block: Found): void;
  readonly log: Log;
  readonly metrics: Metrics;
}

export class Ledger {
  constructor(private readonly deps: LedgerDeps) {}

  judged({ hash, height, status, verdicts, request }: Judged): void {
    const { worker } = request;
    const found: Found = {
      hash,
      height,
      worker,
      foundAt: nowMs(),
      status,
      confirmations: status === "accepted" ? 1 : 0,
    };
    this.changed(found, status === "accepted" ? undefined : reasonFrom(verdicts));
    if (status !== "rejected") this.deps.follow(found); // A1
  }

  changed(block: Found, reason?: string): void {
    const { hash, height, worker, status, confirmations, foundAt } = block;
    const said = { hash, height, worker, status, confirmations, ...(reason === undefined ? {} : { reason }) };
    this.deps.push(said);
    this.deps.record({ ...said, foundAt });
    this.deps.metrics.count("jobmanager.blocks", 1, { status });
    this.deps.log[status === "rejected" ? "error" : status === "orphaned" ? "warn" : "info"](
      said,
      `block is ${status}`,
    );
  }

  /** A2 */
  adopt(records: readonly BlockRecord[]): void {
    const open = records.filter(({ status, foundAt }) => {
      return (status === "accepted" || status === "orphaned") && nowMs() - foundAt < ADOPT_AGE_MS;
    });
    for (const { hash, height, worker, foundAt, status, confirmations } of open) {
      this.deps.follow({ hash, height, worker, foundAt, status, confirmations });
    }
  }
}

const reasonFrom = (verdicts: Judged["verdicts"]): string =>
  shorten(verdicts.map(({ daemon, outcome, reason }) => `${daemon}: ${reason ?? outcome}`).join("; "));
