// Rolling over: one process after the other gets a successor, with new options or without. Pure order, no processes here.
//
//   O1. The first one that cannot be replaced ends it: the rest stay as they are.
//   O2. With new options it is all or none: those that had them already are replaced by ones with the old options, which
//       served until now. Without new options there is nothing to go back to (the program on disk is another one by now, or
//       it is not), so those that were replaced stay.

export interface Rolling<Item> {
  /** Replaces one; resolves with its successor, or none when there was nothing to replace. */
  replace(item: Item): Promise<readonly Item[]>;
  /** From now on successors have the new options. */
  change(): void;
  /** From now on they have the old ones again. */
  takeBack(): void;
  /** There are new options. */
  readonly changes: boolean;
  /** One could not be taken back; it runs on. */
  onTrouble(item: Item, error: unknown): void;
}

/** @throws what the failed replacement threw, after the roll-back. */
export async function rollOver<Item>(items: readonly Item[], rolling: Rolling<Item>): Promise<void> {
  const fresh: Item[] = [];
  rolling.change();
  try {
    for (const item of items) fresh.push(...(await rolling.replace(item))); // O1
  } catch (error) {
    rolling.takeBack();
    if (rolling.changes) await allBack(fresh, rolling); // O2
    throw error;
  }
}

async function allBack<Item>(fresh: readonly Item[], rolling: Rolling<Item>): Promise<void> {
  for (const item of fresh) {
    try {
      await rolling.replace(item);
    } catch (error) {
      rolling.onTrouble(item, error);
    }
  }
}
