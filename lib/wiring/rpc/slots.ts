// Slots: what is under way, found by a number that crosses the wire and comes back. A table instead of a Map: a call enters and
// leaves it, so both are on the path of every call.
//
//   id 1, 2, 3 ... 2^32 - 1, 1 ...     slot = id mod size; a slot that is taken is passed over, so ids differ while they live

const SIZE_MIN = 64;
const ID_MAX = 0xffff_ffff;

export class Slots<T> {
  #items: (T | undefined)[] = new Array<T | undefined>(SIZE_MIN).fill(undefined);
  #ids = new Uint32Array(SIZE_MIN);
  #used = 0;
  #lastId = 0;

  /** @returns the id that it has from now on; never 0. */
  add(item: T): number {
    if (2 * this.#used >= this.#ids.length) this.#grow();
    const mask = this.#ids.length - 1;
    do this.#lastId = this.#lastId === ID_MAX ? 1 : this.#lastId + 1;
    while (this.#items[this.#lastId & mask] !== undefined);
    this.#items[this.#lastId & mask] = item;
    this.#ids[this.#lastId & mask] = this.#lastId;
    this.#used += 1;
    return this.#lastId;
  }

  /** Takes it out. Undefined: nothing has this id (any more). */
  take(id: number): T | undefined {
    const slot = id & (this.#ids.length - 1);
    if (this.#ids[slot] !== id) return undefined;
    const item = this.#items[slot];
    if (item === undefined) return undefined;
    this.#items[slot] = undefined;
    this.#used -= 1;
    return item;
  }

  /** In no particular order; what is taken out meanwhile is still among them. */
  all(): T[] {
    return this.#items.filter((item) => item !== undefined);
  }

  /** Two ids that share a slot of the larger table would share one of the smaller. */
  #grow(): void {
    const [items, ids] = [this.#items, this.#ids];
    const size = 2 * ids.length;
    this.#items = new Array<T | undefined>(size).fill(undefined);
    this.#ids = new Uint32Array(size);
    for (const [slot, id] of ids.entries()) {
      if (items[slot] === undefined) continue;
      this.#items[id & (size - 1)] = items[slot];
      this.#ids[id & (size - 1)] = id;
    }
  }
}
