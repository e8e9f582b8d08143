// Sums: counts are added up here, by name and tags, and handed on a few times a second. A counter on the way of every line must
// cost an addition, not a measurement. Pure.

import type { Tags } from "./metrics.js";

interface Sum {
  readonly name: string;
  readonly tags: Tags;
  by: number;
}

/** Names and tags come from tables, some hundred together; a bug that makes them up must not grow memory. */
const SUMS_MAX = 10_000;

export class Sums {
  readonly #sums = new Map<string, Sum>();

  /** False: there are too many already, and it was not added. */
  add(name: string, by: number, tags: Tags): boolean {
    const key = keyOf(name, tags);
    const sum = this.#sums.get(key);
    if (sum) sum.by += by;
    else if (this.#sums.size < SUMS_MAX) this.#sums.set(key, { name, tags, by });
    else return false;
    return true;
  }

  /** Hands on what is not zero, and begins anew. */
  take(to: (name: string, by: number, tags: Tags) => void): void {
    for (const sum of this.#sums.values()) {
      if (sum.by === 0) continue;
      to(sum.name, sum.by, sum.tags);
      sum.by = 0;
    }
  }
}

function keyOf(name: string, tags: Tags): string {
  let key = name;
  for (const tag in tags) key += `,${tag}=${tags[tag]}`;
  return key;
}
