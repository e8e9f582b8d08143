// Whoever is not looked at before a broadcast must have had nothing to be told.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { craftJob, MASK } from "./craft.js";
import { EASY_SETTINGS, Instance, Miner } from "./stand-ins.js";

const MINERS = 3;
const WIDE = {
  default: { ...EASY_SETTINGS.default, difficulty: { start: 2 ** -28, floor: 2 ** -40, ceiling: 2 ** 10 } },
};

type Act =
  | { readonly kind: "wish"; readonly who: number; readonly exponent: number }
  | { readonly kind: "mask"; readonly who: number }
  | { readonly kind: "come"; readonly who: number }
  | { readonly kind: "move"; readonly who: number }
  | { readonly kind: "sweep" }
  | { readonly kind: "job"; readonly bits: number; readonly mask: number };

const who = fc.nat(MINERS - 1);
const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ kind: fc.constant("wish" as const), who, exponent: fc.integer({ min: -38, max: 4 }) }),
  fc.record({ kind: fc.constant("mask" as const), who }),
  fc.record({ kind: fc.constant("come" as const), who }),
  fc.record({ kind: fc.constant("move" as const), who }),
  fc.constant({ kind: "sweep" as const }),
  fc.record({
    kind: fc.constant("job" as const),
    bits: fc.constantFrom(0x1f0f_ffff, 0x1f0f_ffff, 0x1d00_ffff, 0x200f_ffff),
    mask: fc.constantFrom(MASK, MASK, 0x00ff_e000),
  }),
);

class World {
  readonly instance = new Instance(undefined, { listeners: WIDE });
  readonly #miners: (Miner | undefined)[] = [];
  #tip = 1;
  #line = 0;

  constructor(everybody: boolean) {
    const { restless } = this.instance.lines.connections;
    if (everybody) restless.concerned = (all) => [...all];
    this.instance.job(craftJob());
  }

  async do(it: Act): Promise<void> {
    if (it.kind === "sweep") this.instance.broadcast.sweep();
    else if (it.kind === "job") this.#job(it.bits, it.mask);
    else if (it.kind === "come") await this.#come(it.who);
    else if (it.kind === "move") this.#miners[it.who]?.moveTo(this.instance, 10 + 10 * this.#line++ + it.who);
    else if (it.kind === "wish") await this.#ask(it.who, "mining.suggest_difficulty", [2 ** it.exponent]);
    else await this.#ask(it.who, "mining.configure", [["version-rolling"], { "version-rolling.mask": "1fffe000" }]);
    await Promise.all(this.#miners.map((miner) => miner?.hear()));
  }

  get heard() {
    return this.#miners.map((miner) => miner?.heard);
  }

  #job(bits: number, versionMask: number): void {
    const tip = ++this.#tip;
    this.instance.job(craftJob({ id: `a${tip}`, tip, height: 100 + tip, bits, versionMask }));
  }

  async #come(index: number): Promise<void> {
    this.#miners[index]?.close();
    const miner = new Miner(this.instance, `c${index}-${this.#line++}`, 1_000 + this.#line);
    this.#miners[index] = miner;
    await miner.ask({ id: 1, method: "mining.subscribe", params: [] });
  }

  async #ask(index: number, method: string, params: unknown[]): Promise<void> {
    await this.#miners[index]?.ask({ id: 2, method, params });
  }
}

const timeless = (heard: readonly (readonly string[] | undefined)[]) =>
  heard.map((lines) => lines?.map((line) => line.replace(/"[0-9a-f]{8}",(true|false)\]/, "$1")));

test("a miner hears before a job exactly what it would hear if everybody were looked at", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 25 }), async (acts) => {
      const [few, all] = [new World(false), new World(true)];
      for (const it of acts) await Promise.all([few.do(it), all.do(it)]);
      expect(timeless(few.heard)).toEqual(timeless(all.heard));
    }),
    { numRuns: 150 },
  );
});

test("a job that changes nothing for anybody looks at nobody", async () => {
  const world = new World(false);
  for (const index of [0, 1, 2]) await world.do({ kind: "come", who: index });
  const { connections } = world.instance.lines;
  const { current } = world.instance.book;
  if (!current) throw new Error("there is a job");
  expect(connections.size).toBe(3);
  expect([...connections.restless.concerned(connections.all(), current, MASK)]).toEqual([]);
  expect([...connections.restless.concerned(connections.all(), current, 0x00ff_e000)]).toHaveLength(3);
});

test("an edge has a broadcast for each difficulty that somebody there was told, and none without clients", async () => {
  expect(new World(false).instance.lines.connections.groups.size).toBe(0);
  const world = new World(false);
  for (const index of [0, 1, 2]) await world.do({ kind: "come", who: index });
  await world.do({ kind: "wish", who: 0, exponent: -26 });
  const groups = () => [...world.instance.lines.connections.groups.values()].flatMap((it) => [...it]);
  expect(new Map(groups())).toEqual(
    new Map([
      [2 ** -26, 1],
      [2 ** -28, 2],
    ]),
  );
  const before = world.instance.outs.length;
  await world.do({ kind: "job", bits: 0x1f0f_ffff, mask: MASK });
  const broadcasts = world.instance.outs.slice(before).filter(({ kind }) => kind === "broadcast");
  expect(broadcasts).toHaveLength(2);
});
