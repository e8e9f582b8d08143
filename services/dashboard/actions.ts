// Actions: swap and drain, one at a time, each with its story for whoever watches. Pure: the operator does them.
//
//   asked --> running (lines) --> done | failed (reason)
//
//   A1. One at a time: two replacements at once could leave a service without instances.
//   A2. The last ACTIONS_KEPT are remembered; a page that was closed meanwhile finds out what became of its action.

import { messageOf } from "../../lib/thrown.js";
import { ACTIONS_KEPT, type Action } from "./model.js";

const LINES_KEPT = 500;
const LINE_MAX = 1_024;
const REASON_MAX = 4_096;

export interface ActionsOptions {
  readonly onChange: (action: Action) => void;
  readonly nowMs: () => number;
}

type Work = (tell: (line: string) => void) => Promise<void>;

export class Actions {
  readonly #kept: Action[] = [];
  #lastId = 0;
  #current: Promise<void> | undefined;

  constructor(private readonly options: ActionsOptions) {}

  /** Newest first. */
  get kept(): readonly Action[] {
    return this.#kept;
  }

  get running(): Action | undefined {
    return this.#kept.find(({ state }) => state === "running");
  }

  /** Begins at once. Undefined: another one is running (A1). */
  begin(what: Action["what"], whom: string, work: Work): Action | undefined {
    if (this.running) return undefined;
    this.#lastId += 1;
    const now = this.options.nowMs();
    const begun: Action = { id: `${now}-${this.#lastId}`, what, whom, state: "running", startedAt: now, lines: [] };
    this.#kept.unshift(begun);
    this.#kept.splice(ACTIONS_KEPT);
    this.options.onChange(begun);
    this.#current = this.#carryOut(begun.id, work);
    return begun;
  }

  /** Resolves when nothing runs any more. */
  async settled(): Promise<void> {
    await this.#current;
  }

  async #carryOut(id: string, work: Work): Promise<void> {
    const tell = (line: string) => {
      this.#change(id, ({ lines }) => ({ lines: [...lines, line.slice(0, LINE_MAX)].slice(-LINES_KEPT) }));
    };
    try {
      await work(tell);
      this.#change(id, () => ({ state: "done", endedAt: this.options.nowMs() }));
    } catch (error) {
      const reason = messageOf(error).slice(0, REASON_MAX);
      this.#change(id, () => ({ state: "failed", reason, endedAt: this.options.nowMs() }));
    }
  }

  #change(id: string, how: (action: Action) => Partial<Action>): void {
    const at = this.#kept.findIndex((it) => it.id === id);
    const before = this.#kept[at];
    if (!before) return;
    const after = { ...before, ...how(before) };
    this.#kept[at] = after;
    this.options.onChange(after);
  }
}
