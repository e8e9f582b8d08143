// A contender of the rpc benchmark: one way to ask another process something and get an answer, in two processes.
//
//   program serve --open--> address        program call --connect(address)--> ready --load(outstanding, ms)--> Load

import { beAgent } from "../kit/agent.js";
import { type Begin, load } from "../kit/load.js";

/** What is sent and comes back: 100 bytes, in one field. */
export const TEXT = "headframe ".repeat(10);

export interface Contender {
  /** @returns what connect() needs, as something that IPC carries. */
  serve(): Promise<unknown>;
  connect(address: never): Promise<Begin>;
}

/** @throws when the answer is not what was asked for: a fast wrong answer counts for nothing. */
export function mustEqual(text: unknown): void {
  if (text !== TEXT) throw new Error(`a wrong answer: ${String(text).slice(0, 200)}`);
}

export function contend({ serve, connect }: Contender): void {
  let begin: Begin | undefined;
  beAgent({
    open: serve,
    connect: async (address: never) => {
      begin = await connect(address);
    },
    load: (options: { outstanding: number; ms: number }) => {
      if (!begin) throw new Error("connect first");
      return load(begin, options);
    },
  });
}
