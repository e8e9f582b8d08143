// Blocks go out: submitted, followed, recorded, and the blocks of jobmanagers that are gone adopted.
//
//   submitBlock -> out-blocks -> ledger -> out-follow, out-records, push        every minute: reporter -> ledger.adopt
//                      '-> out-pending, what no daemon could take yet -> ledger

import {
  type JobmanagerContract,
  reporter,
  type SubmitBlockReply,
  type SubmitBlockRequest,
} from "../../lib/contracts/index.js";
import type { Client, MessageOf } from "../../lib/wiring/index.js";
import type { Parts, Work } from "./in-work.js";
import { Ledger } from "./ledger.js";
import { Blocks } from "./out-blocks.js";
import { Follow } from "./out-follow.js";
import { Pending } from "./out-pending.js";
import { Records } from "./out-records.js";
import { messageOf } from "./reason.js";

/** A jobmanager that ended leaves its blocks unfollowed for so long at most; confirmations take hours. */
const ADOPT_EVERY_MS = 60_000;
const ADOPT_MAX = 1_000;

export class Chain {
  readonly #blocks: Blocks;
  readonly #pending: Pending;
  readonly #follow: Follow;
  readonly #records: Records;
  readonly #ledger: Ledger;
  readonly #reporter: Client<typeof reporter>;
  #senior = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly parts: Parts,
    work: Work,
    push: (message: MessageOf<JobmanagerContract, "block">) => void,
  ) {
    const { house, settings, log } = parts;
    const { metrics } = house;
    this.#reporter = house.nexus.client(reporter);
    this.#records = new Records({
      send: (record) => this.#reporter.call("recordBlock", record),
      onFailed: (record, reason) => {
        metrics.count("jobmanager.records.failures");
        log.warn({ hash: record.hash, reason }, "the reporter was not told of a block: trying again");
      },
      onDropped: (record) => log.error(record, "the reporter will not be told of this block: too many wait"),
    });
    this.#follow = new Follow({
      targets: () => work.byTrust(),
      confirmations: settings.confirmations,
      followMs: settings.followMs,
      onChange: (block, reason) => this.#ledger.changed(block, reason),
      onDeeper: (block) => this.#ledger.deeper(block),
      onDropped: (block) => log.error(block, "a block is no longer followed: too many are"),
    });
    this.#ledger = new Ledger({
      push,
      record: (record) => this.#records.record(record),
      follow: (block) => this.#follow.add(block),
      log,
      metrics,
    });
    this.#pending = new Pending({
      redis: house.redis.state,
      cluster: house.cluster,
      confirmations: settings.confirmations,
      height: () => highest(work),
      offer: (block, hash, before) => this.#blocks.offer(block, hash, before),
      onHeld: (held, verdicts) => this.#ledger.pending(held, verdicts),
      onJudged: (judged) => this.#ledger.judged(judged),
      onDropped: ({ hash, height, worker }) =>
        log.error({ hash, height, worker }, "a pending block is no longer offered: too many are"),
      onTrouble: (reason) =>
        log.error({ reason }, "shared state does not keep pending blocks: this process alone does"),
    });
    this.#blocks = new Blocks({
      pending: this.#pending,
      targets: () => work.daemons,
      bodyOf: (job) => work.bodyOf(job),
      onJudged: (judged) => this.#ledger.judged(judged),
      onVerdict: ({ daemon, outcome, reason }, hash) => {
        metrics.count("jobmanager.submits", 1, { daemon, outcome });
        log.info({ hash, daemon, outcome, reason }, "verdict on a block");
      },
      onAccepted: (ms) => metrics.timing("jobmanager.submit.wait", ms),
    });
  }

  /** From now on the pending blocks of all jobmanagers are offered. */
  start(): void {
    this.#pending.start();
    this.#timer ??= setInterval(() => this.#senior && void this.#adopt(), ADOPT_EVERY_MS);
  }

  /** The senior jobmanager looks after blocks that nobody follows. */
  lead(senior: boolean): void {
    this.#senior = senior;
    if (senior) void this.#adopt();
  }

  submit(request: SubmitBlockRequest): Promise<SubmitBlockReply> {
    return this.#blocks.submit(request);
  }

  async drain(timeoutMs: number): Promise<void> {
    await Promise.all([this.#records.drain(timeoutMs), this.#pending.drain(timeoutMs)]);
  }

  /** Safe twice. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#blocks.close();
    await this.#pending.close();
    await this.#follow.close();
    this.#records.close();
    await this.#reporter.close();
  }

  async #adopt(): Promise<void> {
    try {
      const { blocks } = await this.#reporter.call("blocks", { limit: ADOPT_MAX });
      this.#ledger.adopt(blocks);
    } catch (error) {
      this.parts.log.debug({ reason: messageOf(error) }, "no list of blocks to adopt");
    }
  }
}

/** The chain's height as the live daemons have it. */
function highest(work: Work): number | undefined {
  const heights = work
    .status()
    .flatMap(({ state, height }) => (state === "live" && height !== undefined ? [height] : []));
  return heights.length > 0 ? Math.max(...heights) : undefined;
}
