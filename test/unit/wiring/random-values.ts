// Random values of a schema, mostly valid and often at its bounds, and random bytes of them: every encoding that MessagePack has for a value,
// then mutations of it. By a seed, so that a failure can be repeated.

import type { z } from "zod";
import { encodePayload } from "../../../lib/wiring/rpc/payload.js";

type Def = Readonly<Record<string, unknown>>;
const defOf = (schema: z.ZodType): Def => schema._zod.def as unknown as Def;
const checksOf = (def: Def): Def[] => ((def.checks ?? []) as { _zod: { def: Def } }[]).map((check) => check._zod.def);

const ODD_NUMBERS = [
  ...[0, -0, 1, -1, 31, 32, 127, 128, 255, 256, 65_535, 65_536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53],
  ...[-32, -33, -128, -129, 1.5, 1e308, 5e-324, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
];
/** One, two, three and four bytes; one and two UTF-16 units; half of a pair; combining. */
const CHARACTERS = ["a", "0", "f", "é", "漢", "\u{1f600}", "\ud83d", "e\u0301", "\0"];
const WORDS = ["", "ab", "12-0", "__proto__", "constructor", "hex00ff", "127.0.0.1", "open", "line", "stratum-1a2b"];
const BYTES = [0, 1, 5, 6, 31, 32, 33, 80, 200, 300];

export class Random {
  constructor(private seed: number) {}

  /** From 0 to 1, exclusive (mulberry32). */
  next(): number {
    this.seed = (this.seed + 0x6d2b79f5) | 0;
    let t = Math.imul(this.seed ^ (this.seed >>> 15), 1 | this.seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  int(below: number): number {
    return Math.floor(this.next() * below);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(list.length)] as T;
  }

  value(schema: z.ZodType, depth = 0): unknown {
    let drawn = this.#draw(schema, depth);
    const leaf = ["string", "number", "custom"].includes(String(defOf(schema).type));
    for (let i = 0; leaf && i < 10 && this.next() < 0.9 && !schema.safeParse(drawn).success; i += 1)
      drawn = this.#draw(schema, depth);
    return drawn;
  }

  #draw(schema: z.ZodType, depth: number): unknown {
    const def = defOf(schema);
    if (this.next() < 0.01) return this.pick([null, undefined, true, -1, 1.5, "x", "", [], {}, Buffer.from("ab")]);
    switch (def.type) {
      case "string":
        return this.#text(def);
      case "number":
        return this.next() < 0.5 ? this.pick(ODD_NUMBERS) : this.next() < 0.6 ? this.int(1_000) : this.next() * 1e6;
      case "boolean":
        return this.next() < 0.5;
      case "literal":
        return this.pick(def.values as unknown[]);
      case "enum":
        return this.pick(Object.values(def.entries as object));
      case "custom":
        return Buffer.from(Array.from({ length: this.pick(BYTES) }, () => this.int(256)));
      case "array":
        return this.#list(def, depth);
      case "tuple":
        return (def.items as z.ZodType[]).map((item) => this.value(item, depth + 1));
      case "object":
        return this.#object(def.shape as Record<string, z.ZodType>, depth);
      case "record":
        return Object.fromEntries([[this.pick(WORDS), this.value(def.valueType as z.ZodType, depth + 1)]]);
      case "union":
        return this.value(this.pick(def.options as z.ZodType[]), depth);
      case "nullable":
        return this.next() < 0.3 ? null : this.value(def.innerType as z.ZodType, depth);
      case "pipe":
        return this.value(def.in as z.ZodType, depth);
      default:
        return def.innerType ? this.value(def.innerType as z.ZodType, depth) : this.int(10);
    }
  }

  /** Often as long as a bound of it, in one of the ways that length can be counted. */
  #text(def: Def): string {
    if (this.next() < 0.2) return this.pick(WORDS);
    const bounds = checksOf(def).flatMap(({ minimum, maximum, length }) =>
      [minimum, maximum, length].filter((bound): bound is number => typeof bound === "number"),
    );
    const bound = bounds.length > 0 && this.next() < 0.8 ? this.pick(bounds) : this.pick([1, 3, 31, 32, 255, 256]);
    const character = this.pick(CHARACTERS);
    const size = this.pick([1, 1, character.length, Buffer.byteLength(character)]);
    const count = Math.max(0, Math.round(Math.min(bound, 400) / size) + this.pick([-1, 0, 0, 0, 1]));
    return this.next() < 0.8 ? character.repeat(count) : `a${character.repeat(Math.max(0, count - 1))}`;
  }

  #list(def: Def, depth: number): unknown[] {
    const bounds = checksOf(def).map(({ minimum, maximum, length }) => Number(minimum ?? maximum ?? length));
    const most = depth > 3 ? 1 : 20;
    const length = Math.min(most, this.pick([0, 1, 2, 15, 16, 17, ...bounds.filter((bound) => bound <= most)]));
    return Array.from({ length }, () => this.value(def.element as z.ZodType, depth + 1));
  }

  #object(shape: Readonly<Record<string, z.ZodType>>, depth: number): Record<string, unknown> {
    const made: Record<string, unknown> = {};
    for (const [name, field] of Object.entries(shape)) {
      const optional = ["optional", "default"].includes(String(defOf(field).type));
      if (this.next() < (optional ? 0.4 : 0.003)) continue;
      made[name] = this.value(field, depth + 1);
    }
    if (this.next() < 0.01) made.extra = 1;
    return made;
  }

  /** The library's bytes, or any other that mean the same. */
  bytes(value: unknown): Buffer {
    if (this.next() < 0.5) return Buffer.from(encodePayload(value));
    const out: Buffer[] = [];
    this.#encode(value, out);
    return Buffer.concat(out);
  }

  #encode(value: unknown, out: Buffer[]): void {
    if (typeof value === "string")
      this.#sized(out, Buffer.byteLength(value), [0xa0, 32], [0xd9, 0xda, 0xdb], Buffer.from(value));
    else if (value instanceof Uint8Array) this.#sized(out, value.length, undefined, [0xc4, 0xc5, 0xc6], value);
    else if (typeof value === "number") this.#number(value, out);
    else if (Array.isArray(value)) {
      this.#sized(out, value.length, [0x90, 16], [undefined, 0xdc, 0xdd]);
      for (const one of value) this.#encode(one, out);
    } else if (typeof value === "object" && value !== null) {
      const entries = Object.entries(value).filter(([, field]) => field !== undefined || this.next() < 0.1);
      if (this.next() < 0.1) entries.sort(() => this.next() - 0.5);
      if (this.next() < 0.02 && entries[0]) entries.push(entries[0]);
      this.#sized(out, entries.length, [0x80, 16], [undefined, 0xde, 0xdf]);
      for (const [name, field] of entries) {
        this.#encode(name, out);
        this.#encode(field, out);
      }
    } else out.push(Buffer.from(encodePayload(value)));
  }

  /** A header with a count in itself, or in 1, 2 or 4 bytes behind it. */
  #sized(
    out: Buffer[],
    count: number,
    fix: readonly [first: number, below: number] | undefined,
    heads: readonly (number | undefined)[],
    body: Uint8Array = Buffer.alloc(0),
  ): void {
    const ways = heads.flatMap((head, i) =>
      head !== undefined && count < 256 ** (2 ** i) ? [[head, 2 ** i] as const] : [],
    );
    if (fix && count < fix[1] && this.next() < 0.7) out.push(Buffer.from([fix[0] | count]), Buffer.from(body));
    else {
      const [head, width] = this.pick(ways);
      const size = Buffer.alloc(1 + width);
      size[0] = head;
      size.writeUIntBE(count, 1, width);
      out.push(size, Buffer.from(body));
    }
  }

  #number(value: number, out: Buffer[]): void {
    const [bytes, view] = [Buffer.alloc(9), new DataView(new ArrayBuffer(9))];
    const put = (head: number, size: number): void => {
      view.setUint8(0, head);
      bytes.set(new Uint8Array(view.buffer));
      out.push(bytes.subarray(0, 1 + size));
    };
    const whole = Number.isInteger(value) && Math.abs(value) <= 2 ** 53 && !Object.is(value, -0);
    const way = this.int(whole ? 6 : 2);
    if (way === 1 && Math.fround(value) === value) {
      view.setFloat32(1, value);
      put(0xca, 4);
    } else if (way < 2) {
      view.setFloat64(1, value);
      put(0xcb, 8);
    } else if (way === 2) {
      view.setBigInt64(1, BigInt(value));
      put(value < 0 ? 0xd3 : this.pick([0xcf, 0xd3]), 8);
    } else if (way === 3 && value >= 0 && value < 2 ** 32) {
      view.setUint32(1, value);
      put(0xce, 4);
    } else out.push(Buffer.from(encodePayload(value)));
  }

  mutated(bytes: Buffer): Buffer {
    let out = Buffer.from(bytes);
    for (let i = this.int(3); i >= 0 && out.length > 0; i -= 1) {
      const at = this.int(out.length);
      const byte = this.pick([
        0xc0,
        0xc1,
        0xcb,
        0xcf,
        0xd9,
        0xda,
        0xdc,
        0xdd,
        0xde,
        0xd4,
        0xc7,
        0x80,
        0x90,
        0xa0,
        0xff,
        this.int(256),
      ]);
      const how = this.int(5);
      if (how === 0) out[at] = (out[at] ?? 0) ^ (1 << this.int(8));
      else if (how === 1) out[at] = byte;
      else if (how === 2) out = Buffer.concat([out.subarray(0, at), out.subarray(at + 1 + this.int(3))]);
      else if (how === 3) out = Buffer.concat([out.subarray(0, at), Buffer.from([byte]), out.subarray(at)]);
      else out = out.subarray(0, at);
    }
    return out;
  }
}
