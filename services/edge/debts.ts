// debts: bytes that all clients together have yet to take from this process. Pure.
//
//   Client --wrote--> Debts --more than bytesMax--> those that owe most are given up, until RELIEF of it is left
//
//   D1. Each client has a bound of its own (C2 of in-client.ts); ten thousand of them, each a little below it, would still fill the memory.
//   D2. What has been taken since a client was last written to is counted when the bound seems to be reached, at most once each
//       RECOUNT_MS: in between a tick's writes may stand above it.

export interface Debtor {
  /** As it was counted last. Debts' own. */
  owed: number;
  readonly unsentBytes: number;
  /** It does not read: close it. */
  giveUp(): void;
}

/** After the bound was reached this part of it is left, so that it is not reached again at once. */
const RELIEF = 0.75;
const RECOUNT_MS = 10;

export class Debts {
  readonly #debtors = new Set<Debtor>();
  #bytes = 0;
  #recountedAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly bytesMax: number,
    private readonly nowMs: () => number,
    /** So many were given up. */
    private readonly full: (closed: number) => void,
  ) {}

  /** As far as is known. */
  get bytes(): number {
    return this.#bytes;
  }

  /** It was written to. */
  wrote(debtor: Debtor): void {
    const owed = debtor.unsentBytes;
    if (owed === debtor.owed) return;
    this.#count(debtor, owed);
    if (this.#bytes > this.bytesMax) this.#enforce();
  }

  /** It is closed. */
  gone(debtor: Debtor): void {
    this.#count(debtor, 0);
  }

  #count(debtor: Debtor, owed: number): void {
    this.#bytes += owed - debtor.owed;
    debtor.owed = owed;
    if (owed === 0) this.#debtors.delete(debtor);
    else this.#debtors.add(debtor);
  }

  #enforce(): void {
    const nowMs = this.nowMs();
    if (nowMs - this.#recountedAtMs < RECOUNT_MS) return; // D2
    this.#recountedAtMs = nowMs;
    for (const debtor of [...this.#debtors]) this.#count(debtor, debtor.unsentBytes);
    if (this.#bytes <= this.bytesMax) return;
    const most = [...this.#debtors].sort((a, b) => b.owed - a.owed);
    let closed = 0;
    for (const debtor of most) {
      if (this.#bytes <= this.bytesMax * RELIEF) break;
      this.gone(debtor);
      debtor.giveUp();
      closed++;
    }
    this.full(closed);
  }
}
