// Reader: a plan becomes a function that reads a MessagePack value and checks it in one pass, without an object in between.
//
//   R1. What it accepts, the schema accepts, with the same value.
//   R2. It refuses nothing: what it is not sure of (other encodings, another order, extra fields, anything wrong) is UNSURE,
//       and the schema decides.
//   R3. Whatever the bytes, it reads within its bounds or not at all, and its work is bounded by them.

import type { z } from "zod";
import { Code, matches, packedWord } from "./code.js";
import type { Bounds, Field, Plan } from "./plan.js";
import { skip } from "./skip.js";

/** What a quick reader says when the schema must be asked. */
export const UNSURE = Symbol("unsure");

/** Reads the value from `start` to `end`. */
export type QuickRead = (bytes: Buffer, start: number, end: number) => unknown;

/** Decodes the value from `start` to `end` by the library. */
export type Decode = (bytes: Buffer, start: number, end: number) => unknown;

const GIVE_UP = "return UNSURE;";

/** @returns undefined: there is nothing that code could do better than the schema. */
export function readerOf(plan: Plan, decode: Decode): QuickRead | undefined {
  if (plan.kind === "other") return undefined;
  const code = new Code();
  code.line(`const UNSURE = ${code.keep(UNSURE)};`, "let c = 0;", "let value;");
  new Reading(code, decode).value(plan, "value");
  code.line(`return p === end ? value : UNSURE;`); // R3: a length that reached beyond is found here.
  return code.build<QuickRead>(["b", "p", "end"]);
}

class Reading {
  constructor(
    private readonly code: Code,
    private readonly decode: Decode,
  ) {}

  /** Lines that read the value at p into `target` and move p behind it. */
  value(plan: Plan, target: string): void {
    switch (plan.kind) {
      case "string":
        this.#string(plan.length, plan.patterns, target);
        break;
      case "number":
        this.#number(plan, target);
        break;
      case "boolean":
        this.code.line(`c = b[p++]; if (c !== 0xc2 && c !== 0xc3) ${GIVE_UP}`, `${target} = c === 0xc3;`);
        break;
      case "words":
        this.#words(plan.words, (word) => this.code.line(`${target} = ${JSON.stringify(word)};`));
        break;
      case "bytes":
        this.#bytes(plan.test, target);
        break;
      case "array":
        this.#array(plan.element, plan.length, target);
        break;
      case "object":
        this.#object(plan.fields, target);
        break;
      case "choice":
        this.#choice(plan, target);
        break;
      case "nullable":
        this.code.line(`if (b[p] === 0xc0) { p += 1; ${target} = null; } else {`);
        this.value(plan.inner, target);
        this.code.line("}");
        break;
      case "other":
        this.#other(plan.schema, target);
        break;
    }
  }

  #string({ min, max }: Bounds, patterns: readonly RegExp[], target: string): void {
    const n = this.code.name();
    this.code.line(
      `let ${n} = 0; c = b[p];`,
      `if ((c & 0xe0) === 0xa0) { ${n} = c & 31; p += 1; }`,
      `else if (c === 0xd9) { ${n} = b[p + 1] | 0; p += 2; }`,
      `else if (c === 0xda) { ${n} = b[p + 1] << 8 | b[p + 2]; p += 3; } else ${GIVE_UP}`,
      `if (p + ${n} > end) ${GIVE_UP}`,
      `${target} = b.utf8Slice(p, p + ${n}); p += ${n};`,
    );
    // The schema counts code points, of which a text of 2 n - 1 units has at least n, and one of ASCII as many as bytes.
    if (min > 0)
      this.code.line(`if (${target}.length < (${target}.length === ${n} ? ${min} : ${2 * min - 1})) ${GIVE_UP}`);
    if (max !== Number.POSITIVE_INFINITY) this.code.line(`if (${target}.length > ${max}) ${GIVE_UP}`);
    for (const pattern of patterns) {
      const kept = this.code.keep(pattern);
      this.code.line(`${kept}.lastIndex = 0; if (!${kept}.test(${target})) ${GIVE_UP}`);
    }
  }

  #number({ integer, comparisons }: Extract<Plan, { kind: "number" }>, target: string): void {
    const whole = integer ? `Number.isSafeInteger(${target})` : `Number.isFinite(${target})`;
    this.code.line(
      `c = b[p];`,
      `if (c < 0x80) { ${target} = c; p += 1; }`,
      `else if (c === 0xcc) { ${target} = b[p + 1]; p += 2; }`,
      `else if (c === 0xcd) { ${target} = b[p + 1] << 8 | b[p + 2]; p += 3; }`,
      `else if (c === 0xce) { ${target} = b[p + 1] * 0x1000000 + (b[p + 2] << 16 | b[p + 3] << 8 | b[p + 4]); p += 5; }`,
      `else if (c === 0xcb && p + 9 <= end) { ${target} = b.readDoubleBE(p + 1); p += 9; if (!${whole}) ${GIVE_UP} }`,
      `else if (c >= 0xe0) { ${target} = c - 256; p += 1; } else ${GIVE_UP}`,
    );
    for (const { op, limit } of comparisons) {
      const text = Object.is(limit, -0) ? "0" : String(limit);
      this.code.line(`if (!(${target} ${op} ${text})) ${GIVE_UP}`);
    }
  }

  /** One of these strings; `then` says what follows each, with p behind it. */
  #words(words: readonly string[], then: (word: string) => void): void {
    for (const [i, word] of words.entries()) {
      const packed = packedWord(word);
      this.code.line(`${i === 0 ? "" : "else "}if (${matches(packed)}) { p += ${packed.length};`);
      then(word);
      this.code.line("}");
    }
    this.code.line(`else ${GIVE_UP}`);
  }

  #bytes(test: (value: unknown) => unknown, target: string): void {
    const n = this.code.name();
    this.code.line(
      `let ${n} = 0; c = b[p];`,
      `if (c === 0xc4) { ${n} = b[p + 1] | 0; p += 2; }`,
      `else if (c === 0xc5) { ${n} = b[p + 1] << 8 | b[p + 2]; p += 3; }`,
      `else if (c === 0xc6) { ${n} = b[p + 1] * 0x1000000 + (b[p + 2] << 16 | b[p + 3] << 8 | b[p + 4]); p += 5; }`,
      `else ${GIVE_UP}`,
      `if (!(p + ${n} <= end)) ${GIVE_UP}`,
      `${target} = b.subarray(p, p + ${n}); p += ${n};`,
      `if (!${this.code.keep(test)}(${target})) ${GIVE_UP}`,
    );
  }

  #array(element: Plan, { min, max }: Bounds, target: string): void {
    const [n, i, one] = [this.code.name(), this.code.name(), this.code.name()];
    this.code.line(
      `let ${n} = 0; c = b[p];`,
      `if ((c & 0xf0) === 0x90) { ${n} = c & 15; p += 1; }`,
      `else if (c === 0xdc) { ${n} = b[p + 1] << 8 | b[p + 2]; p += 3; } else ${GIVE_UP}`,
      `if (${n} < ${min} || ${n} > ${Math.min(max, 0xffff)} || p + ${n} > end) ${GIVE_UP}`, // An element takes a byte at least.
      `${target} = [];`,
      `for (let ${i} = 0; ${i} < ${n}; ${i} += 1) { let ${one};`,
    );
    this.value(element, one);
    this.code.line(`${target}.push(${one}); }`);
  }

  /** Reads a map's header; @returns the name of the count of entries that are left. */
  #map(): string {
    const left = this.code.name();
    this.code.line(
      `let ${left} = 0; c = b[p];`,
      `if ((c & 0xf0) === 0x80) { ${left} = c & 15; p += 1; }`,
      `else if (c === 0xde) { ${left} = b[p + 1] << 8 | b[p + 2]; p += 3; } else ${GIVE_UP}`,
    );
    return left;
  }

  #object(fields: readonly Field[], target: string): void {
    const left = this.#map();
    this.#fields(fields, left, target, []);
  }

  #choice({ by, options }: Extract<Plan, { kind: "choice" }>, target: string): void {
    const left = this.#map();
    const key = packedWord(by);
    this.code.line(`if (!(${matches(key)})) ${GIVE_UP}`, `p += ${key.length}; ${left} -= 1;`);
    const of = new Map(options.map((option) => [option.word, option.fields]));
    this.#words([...of.keys()], (word) => {
      const first = `${JSON.stringify(by)}: ${JSON.stringify(word)}`;
      this.#fields(of.get(word) ?? [], left, target, [first]);
    });
  }

  /** The fields in their order, each at most once, and nothing after them. */
  #fields(fields: readonly Field[], left: string, target: string, properties: string[]): void {
    const optional: string[] = [];
    for (const field of fields) {
      const name = this.code.name();
      const key = packedWord(field.name);
      this.code.line(`let ${name};`, `if (${left} > 0 && ${matches(key)}) { p += ${key.length}; ${left} -= 1;`);
      this.value(field.plan, name);
      this.code.line(field.optional ? "}" : `} else ${GIVE_UP}`);
      const quoted = JSON.stringify(field.name);
      if (field.optional) optional.push(`if (${name} !== undefined) ${target}[${quoted}] = ${name};`);
      else properties.push(`${quoted}: ${name}`);
    }
    this.code.line(`if (${left} !== 0) ${GIVE_UP}`, `${target} = { ${properties.join(", ")} };`, ...optional);
  }

  #other(schema: z.ZodType, target: string): void {
    const q = this.code.name();
    this.code.line(
      `const ${q} = ${this.code.keep(skip)}(b, p, end); if (${q} < 0) ${GIVE_UP}`,
      `${target} = ${this.code.keep(bySchema(schema, this.decode))}(b, p, ${q}); if (${target} === UNSURE) ${GIVE_UP}`,
      `p = ${q};`,
    );
  }
}

function bySchema(schema: z.ZodType, decode: Decode): QuickRead {
  return (bytes, start, end) => {
    try {
      const parsed = schema.safeParse(decode(bytes, start, end));
      return parsed.success ? parsed.data : UNSURE;
    } catch {
      return UNSURE; // Whoever reads the whole of it the long way says why.
    }
  };
}
