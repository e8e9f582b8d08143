// The ledger of found blocks: what the parts learn of a block, said to everybody who must know.
//
//   out-blocks (first status), out-follow (later ones), reporter (blocks of jobmanagers that are gone)
//        -> Ledger -> push `block`, the reporter's record, log, metrics, and on to out-follow
//
//   A1. A block that was rejected is told and forgotten; any other one is followed.
//   A2. A jobmanager may end with blocks unconfirmed: the senior live one adopts them from the reporter's records.

import { type BlockRecord, type BlockStatus, type JobmanagerContract, nowMs } from "../../lib/contracts/index.js";
import type { Log, MessageOf, Metrics } from "../../lib/wiring/index.js";
import type { Found, Judged, Report } from "./found.js";
import { shorten } from "./reason.js";

/** A hundred confirmations take hours on any coin; what is older and still open needs a person. */
const ADOPT_AGE_MS = 7 * 86_400_000;

/** What may still become of a block is looked up in the chain; a pending one may have got there without our hearing of it. */
const OPEN: ReadonlySet<BlockStatus> = new Set(["pending", "accepted", "orphaned"]);
const LEVELS = {
  rejected: "error",
  pending: "error",
  orphaned: "warn",
  accepted: "info",
  confirmed: "info",
} as const satisfies Record<BlockStatus, string>;

export interface LedgerDeps {
  push(message: MessageOf<JobmanagerContract, "block">): void;
  record(record: Report): void;
  follow(block: Found): void;
  readonly log: Log;
  readonly metrics: Metrics;
}

export class Ledger {
  constructor(private readonly deps: LedgerDeps) {}

  /** No daemon could take it yet, and not every one has refused it for good. */
  pending(
    { hash, height, worker, foundAt }: Pick<Found, "hash" | "height" | "worker" | "foundAt">,
    verdicts: Judged["verdicts"],
  ): void {
    const found: Found = { hash, height, worker, foundAt, status: "pending", confirmations: 0 };
    const said = verdicts.length === 0 ? "" : ` (${reasonFrom(verdicts)})`;
    this.changed(found, shorten(`no daemon could take it yet, it is offered again${said}`));
  }

  judged({ hash, height, status, verdicts, worker, foundAt }: Judged): void {
    const found: Found = { hash, height, worker, foundAt, status, confirmations: status === "accepted" ? 1 : 0 };
    this.changed(found, status === "accepted" ? undefined : reasonFrom(verdicts));
    if (status !== "rejected") this.deps.follow(found); // A1
  }

  changed(block: Found, reason?: string): void {
    const { hash, height, worker, status, confirmations, foundAt } = block;
    const said = { hash, height, worker, status, confirmations, ...(reason === undefined ? {} : { reason }) };
    this.deps.push(said);
    this.deps.record({ ...said, foundAt });
    this.deps.metrics.count("jobmanager.blocks", 1, { status });
    this.deps.log[LEVELS[status]](said, `block is ${status}`);
  }

  /** It stands deeper in the chain: for the record only. */
  deeper({ hash, height, worker, status, confirmations, foundAt }: Found): void {
    this.deps.record({ hash, height, worker, status, confirmations, foundAt });
  }

  /** A2 */
  adopt(records: readonly BlockRecord[]): void {
    const open = records.filter(({ status, foundAt }) => {
      return OPEN.has(status) && nowMs() - foundAt < ADOPT_AGE_MS;
    });
    for (const { hash, height, worker, foundAt, status, confirmations } of open) {
      this.deps.follow({ hash, height, worker, foundAt, status, confirmations });
    }
  }
}

const reasonFrom = (verdicts: Judged["verdicts"]): string =>
  shorten(verdicts.map(({ daemon, outcome, reason }) => `${daemon}: ${reason ?? outcome}`).join("; "));
