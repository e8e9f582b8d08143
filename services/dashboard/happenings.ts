// Happenings: the newest things that happened in the house, in words, numbered. Pure.

import { HAPPENINGS_KEPT, type Happening } from "./model.js";
import type { ProcessEvent } from "./ports.js";

export class Happenings {
  readonly #kept: Happening[] = [];
  #lastId = 0;

  constructor(
    private readonly onNew: (it: Happening) => void,
    private readonly nowMs: () => number = Date.now,
  ) {}

  /** Oldest first. */
  get kept(): readonly Happening[] {
    return this.#kept;
  }

  add(kind: Happening["kind"], mood: Happening["mood"], text: string): void {
    this.#lastId += 1;
    const it = { id: this.#lastId, at: this.nowMs(), kind, mood, text: text.slice(0, TEXT_MAX) };
    this.#kept.push(it);
    if (this.#kept.length > HAPPENINGS_KEPT) this.#kept.shift();
    this.onNew(it);
  }

  /** What the process manager published. */
  process(event: ProcessEvent): void {
    const told = inWords(event);
    if (told) this.add("process", told.mood, told.text);
  }
}

/** As the model says. */
const TEXT_MAX = 1_024;

function inWords({
  watcher,
  what,
  pid,
  exitCode,
}: ProcessEvent): { mood: Happening["mood"]; text: string } | undefined {
  const who = pid === undefined ? watcher : `${watcher} (pid ${pid})`;
  if (what === "spawn") return { mood: "plain", text: `${who} started` };
  if (what === "ready") return { mood: "good", text: `${who} is ready` };
  if (what === "reload") return { mood: "plain", text: `${watcher} is replaced, one by one` };
  if (what === "stop") return { mood: "plain", text: `${watcher} was stopped` };
  if (what !== "reap") return undefined; // Of interest to programs only.
  if (exitCode === undefined || exitCode === 0) return { mood: "plain", text: `${who} ended` };
  return { mood: "bad", text: `${who} ended ${exitCode < 0 ? `by signal ${-exitCode}` : `with code ${exitCode}`}` };
}
