// asker: a client that goes on asking a LineBackend; what it saw is judged in the end.

import { expect } from "@jest/globals";
import { LineClient } from "./line-client.js";
import { until } from "./until.js";

export class Asker {
  sent = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    readonly client: LineClient,
    readonly name: string,
  ) {}

  start(everyMs: number): void {
    this.#timer = setInterval(() => this.client.send(`{${this.name}-${++this.sent}}`), everyMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    const { client, name, sent } = this;
    await until(`all ${sent} lines of ${name} are answered`, 10_000, () => client.lines.length >= sent);
  }

  /** No more sending; the answers do not matter. */
  quit(): void {
    clearInterval(this.#timer);
  }

  /** Every line answered exactly once, in order, with a count that had no hole: the state went along everywhere. */
  expectAllOnce(): void {
    const expected = Array.from({ length: this.sent }, (_, i) => `{${this.name.toUpperCase()}-${i + 1}}#${i + 1}`);
    expect(this.client.lines).toEqual(expected);
    expect(this.client.closed).toBe(false);
  }
}

export function askers(port: number, count: number): Promise<Asker[]> {
  return Promise.all(Array.from({ length: count }, async (_, i) => new Asker(await LineClient.connect(port), `c${i}`)));
}

/** True: nobody waits for more than `behind` answers. */
export const answeredUpTo = (clients: readonly Asker[], behind: number) =>
  clients.every(({ client, sent }) => client.lines.length >= sent - behind);
