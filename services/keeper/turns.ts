// Turns: messages to a process, some with a handle, in order, of which Node has only a few at a time.
//
//   send(message, handle?) --> [waiting ...] --AHEAD_MAX at most--> Node's own queue --> the channel
//
//   Node waits for the receipt of each handle, and at each receipt it queues all that wait behind it anew: with n sockets under way that
//   is n x n / 2 steps, seconds of a storm's time. So they wait here, where the next one costs one step. What waits is at most a
//   few messages a client, and is let go when the channel is broken.

/** Enough that the channel is never idle between a receipt and the next tick. */
const AHEAD_MAX = 16;
/** A queue's front part that was sent is cut off when it is as long as this, and as what is left. */
const CUT_MIN = 1_024;

interface Waiting<Handle> {
  readonly message: object;
  readonly handle: Handle | undefined;
}

/** Hands one on; `sent` is called once, when it was written or failed. False: the channel is broken, nothing more can be sent. */
export type Channel<Handle> = (message: object, handle: Handle | undefined, sent: () => void) => boolean;

export class Turns<Handle> {
  #waiting: Waiting<Handle>[] = [];
  /** Before it everything was handed on. */
  #first = 0;
  #ahead = 0;

  constructor(private readonly channel: Channel<Handle>) {}

  send(message: object, handle?: Handle): void {
    this.#waiting.push({ message, handle });
    this.#handOn();
  }

  #handOn(): void {
    while (this.#ahead < AHEAD_MAX) {
      const next = this.#waiting[this.#first];
      if (!next) break;
      this.#first++;
      this.#ahead++;
      if (!this.channel(next.message, next.handle, this.#sent)) {
        this.#ahead--;
        this.#first = this.#waiting.length;
      }
    }
    if (this.#first < this.#waiting.length && (this.#first < CUT_MIN || this.#first * 2 < this.#waiting.length)) return;
    this.#waiting.splice(0, this.#first);
    this.#first = 0;
  }

  readonly #sent = (): void => {
    this.#ahead--;
    this.#handOn();
  };
}
