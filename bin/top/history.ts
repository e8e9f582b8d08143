// The course of the figures over the last looks, for sparklines. Pure.
//
//   T1. Bounded: POINTS_MAX looks; of workers, those of the newest look.

import type { Look, Sort, TopView } from "./view.js";

const POINTS_MAX = 120;

export class History {
  #hashrates: number[] = [];
  #sharesPerSecond: number[] = [];
  #courses = new Map<string, number[]>();
  #before: Look | undefined;

  add(look: Look): void {
    const { pool, at } = look;
    if (!pool) return; // Nothing is known: a gap is no zero.
    this.#hashrates = next(this.#hashrates, pool.hashrate1m);
    const { pool: earlier, at: earlierAt = at } = this.#before ?? {};
    if (earlier && at > earlierAt) {
      const gained = Math.max(0, pool.accepted - earlier.accepted);
      this.#sharesPerSecond = next(this.#sharesPerSecond, (gained * 1_000) / (at - earlierAt));
    }
    const courses = look.workers.map(
      ({ worker, hashrate1m }) => [worker as string, next(this.#courses.get(worker) ?? [], hashrate1m)] as const,
    );
    this.#courses = new Map(courses); // T1
    this.#before = look;
  }

  view(look: Look, sort: Sort): TopView {
    return {
      ...look,
      hashrates: this.#hashrates,
      sharesPerSecond: this.#sharesPerSecond,
      courses: this.#courses,
      sort,
    };
  }
}

const next = (course: readonly number[], value: number): number[] => [...course, value].slice(-POINTS_MAX);
