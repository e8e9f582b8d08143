// Blocks go out: submitted, followed, recorded, and the blocks of jobmanagers that are gone adopted.
//
//   submitBlock -> out-blocks -> ledger -> out-follow, out-records, push        every minute: reporter -> ledger.adopt

import {
  type JobmanagerContract,
  jobmanager,
  reporter,
  type SubmitBlockReply,
  type SubmitBlockRequest,
} from "../../lib/contracts/index.js";
import type { Client, InstanceId, MessageOf } from "../../lib/wiring/index.js";
import type { Parts, Work } from "./in-work.js";
import { Ledger } from "./ledger.js";
import { Blocks } from "./out-blocks.js";
import { Follow } from "./out-follow.js";
import { Records } from "./out-records.js";
import { messageOf } from "./reason.js";

/** A jobmanager that ended leaves its blocks unfollowed for so long at most; confirmations take hours. */
const ADOPT_EVERY_MS = 60_000;
const ADOPT_MAX = 1_000;

export class Chain {
  readonly #blocks: Blocks;
  readonly #follow: Follow;
  readonly #records: Records;
  readonly #ledger: Ledger;
  readonly #reporter: Client<typeof reporter>;
  readonly #jobmanagers: Client<JobmanagerContract>;
  #stopAdopting = (): void => {};

  constructor(
    private readonly parts: Parts,
    work: Work,
    push: (message: MessageOf<JobmanagerContract, "block">) => void,
  ) {
    const { house, settings, log } = parts;
    const { metrics } = house;
    this.#reporter = house.nexus.client(reporter);
    this.#jobmanagers = house.nexus.client(jobmanager);
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
      onDropped: (block) => log.error(block, "a block is no longer followed: too many are"),
    });
    this.#ledger = new Ledger({
      push,
      record: (record) => this.#records.record(record),
      follow: (block) => this.#follow.add(block),
      log,
      metrics,
    });
    this.#blocks = new Blocks({
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

  submit(request: SubmitBlockRequest): Promise<SubmitBlockReply> {
    return this.#blocks.submit(request);
  }

  /** Looks after blocks that nobody follows: from now on, whenever `self` is the senior jobmanager. */
  adoptAs(self: InstanceId): void {
    let senior = false;
    const stop = this.#jobmanagers.watch(([first]) => {
      const was = senior;
      senior = first?.id === self;
      if (senior && !was) void this.#adopt();
    });
    const timer = setInterval(() => senior && void this.#adopt(), ADOPT_EVERY_MS);
    this.#stopAdopting = () => {
      clearInterval(timer);
      stop();
    };
  }

  async drain(timeoutMs: number): Promise<void> {
    await this.#records.drain(timeoutMs);
  }

  /** Safe twice. */
  async close(): Promise<void> {
    this.#stopAdopting();
    this.#blocks.close();
    await this.#follow.close();
    this.#records.close();
    await Promise.all([this.#reporter.close(), this.#jobmanagers.close()]);
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
