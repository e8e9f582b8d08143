// Out: what browsers follow, for as long as one does.
//
//   a look a second --> sections house, pool, blocks        reporter --recorded--> `shares`, five times a second at most
//
//   O1. Nobody watches: nobody is asked, and the reporter's shares are not listened to.

import type { Share } from "../../lib/contracts/index.js";
import type { Log, Subscription } from "../../lib/wiring/index.js";
import { poolView } from "./in-api.js";
import type { Services } from "./in-services.js";
import type { Live } from "./live.js";
import { draw } from "./picture.js";

const LOOK_MS = 1_000;
const SHARES_MS = 200;
const BEAT_MS = 15_000;
/** Of one burst, to be shown by name. */
const SHARES_SHOWN = 8;

export interface LiveOptions {
  readonly services: Services;
  readonly live: Live;
  readonly log: Log;
}

export class Broadcast {
  #timers: NodeJS.Timeout[] = [];
  #shares: Subscription | undefined;
  #burst: { count: number; newest: Share[] } = { count: 0, newest: [] };
  #looking: Promise<void> | undefined;

  constructor(private readonly options: LiveOptions) {}

  /** Follows or rests, by whether anybody watches. */
  viewers(count: number): void {
    if (count > 0 && this.#timers.length === 0) this.#start();
    if (count === 0) this.#stop();
  }

  async close(): Promise<void> {
    this.#stop();
    await this.#looking;
  }

  #start(): void {
    const { services, live } = this.options;
    this.#shares = services.clients.reporter.subscribe("recorded", { onMessage: ({ shares }) => this.#count(shares) });
    this.#timers = [
      setInterval(() => this.#look(), LOOK_MS),
      setInterval(() => this.#tellShares(), SHARES_MS),
      setInterval(() => live.beat(), BEAT_MS),
    ];
    this.#look();
  }

  #stop(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#timers = [];
    this.#shares?.close();
    this.#shares = undefined;
    this.#burst = { count: 0, newest: [] };
  }

  #look(): void {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined;
    });
  }

  async #lookOnce(): Promise<void> {
    const { services, live, log } = this.options;
    try {
      const look = await services.look();
      live.section("house", draw(look.readings));
      live.section("pool", poolView(look) ?? null);
      live.section("blocks", look.blocks ?? []);
    } catch (error) {
      log.warn({ err: error }, "the dashboard could not look; it shows what it last saw");
    }
  }

  #count(shares: readonly Share[]): void {
    this.#burst.count += shares.length;
    this.#burst.newest = [...this.#burst.newest, ...shares.slice(-SHARES_SHOWN)].slice(-SHARES_SHOWN);
  }

  #tellShares(): void {
    const { count, newest } = this.#burst;
    if (count === 0) return;
    this.#burst = { count: 0, newest: [] };
    const shares = newest.map(({ worker, difficulty, at, block }) => ({ worker, difficulty, at, block }));
    this.options.live.tell("shares", { count, shares });
    this.#look(); // The figures have changed: no need to wait for the next second.
  }
}
