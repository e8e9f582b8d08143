// Lending: duplicates go to whoever may serve next a few at a time, so that clients who are served meanwhile do not notice.
//
//   Roll --lendable--> soon --every LEND_EVERY_MS, unless a storm comes in--> Roll.lend, until nobody is left

/** 2,000 a second. */
const LEND_EVERY_MS = 50;
const LEND_MAX = 100;
/** So many came within LEND_EVERY_MS: a storm, and every socket's turn in a channel is needed for those who come. */
const STORM_MIN = 10;

/** The part of the roll that is lent from. */
interface Lender {
  /** Of the next client that comes in. */
  readonly nextId: number;
  /** At most so many. @returns how many are left. */
  lend(most: number): number;
}

export class Lending {
  #waiting = false;

  constructor(
    private readonly roll: Lender,
    private readonly later: (ms: number, what: () => void) => unknown,
  ) {}

  /** There is somebody to be lent. Safe again while it goes on. */
  soon(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    const before = this.roll.nextId;
    this.later(LEND_EVERY_MS, () => {
      this.#waiting = false;
      const most = this.roll.nextId - before >= STORM_MIN ? 0 : LEND_MAX;
      if (this.roll.lend(most) > 0) this.soon();
    });
  }
}
