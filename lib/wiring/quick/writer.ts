// Writer: a plan becomes a function that writes a value as MessagePack, straight into the frame that it leaves with.
//
//   W1. What it writes, any reader of MessagePack reads as the same value. Fields that the contract does not have are not sent.
//   W2. It judges nothing: a value that is not shaped as the contract says is UNSHAPED, and the library encodes it, so that the
//       far side's door says what is wrong with it.
//   W3. It never writes beyond its room.

import { Code, packedWord } from "./code.js";
import { type Field, knownWholly, type Plan } from "./plan.js";

/** The value is not what the contract says, or holds what only the library can encode. */
export const UNSHAPED = -1;
/** There is not enough room left. */
export const CRAMPED = -2;

/** Writes at `start`, not beyond `end`. @returns where it ended, or UNSHAPED, or CRAMPED. */
export type QuickWrite = (value: unknown, bytes: Buffer, start: number, end: number) => number;

const UNFIT = `return ${UNSHAPED};`;
const NO_ROOM = `return ${CRAMPED};`;
/** Of a number, or of the header of anything else. */
const HEAD_BYTES = 9;
/** Shorter strings are written by a loop, longer ones by a call that costs more than a few rounds of it. */
const LOOP_MAX = 24;

/** @returns undefined: the library must do it. */
export function writerOf(plan: Plan): QuickWrite | undefined {
  if (!knownWholly(plan, true)) return undefined;
  const code = new Code();
  const writing = new Writing(code);
  code.line("let n = 0;", `if (p + ${HEAD_BYTES} > end) ${NO_ROOM}`);
  writing.value(plan, "v");
  code.line("return p;");
  return code.build<QuickWrite>(["v", "b", "p", "end"]);
}

class Writing {
  constructor(private readonly code: Code) {}

  /** Lines that write `v` at p and move p behind it. Room for a head is there. */
  value(plan: Plan, v: string): void {
    const { code } = this;
    switch (plan.kind) {
      case "string":
        this.#string(v);
        break;
      case "number":
        this.#number(v);
        break;
      case "boolean":
        code.line(`if (${v} === true) b[p++] = 0xc3; else if (${v} === false) b[p++] = 0xc2; else ${UNFIT}`);
        break;
      case "words":
        this.#words(plan.words, v);
        break;
      case "bytes":
        this.#bytes(v);
        break;
      case "array":
        this.#array(plan.element, v);
        break;
      case "object":
        this.#object(plan.fields, v);
        break;
      case "choice":
        this.#choice(plan, v);
        break;
      case "nullable":
        code.line(`if (${v} === null) b[p++] = 0xc0; else {`);
        this.value(plan.inner, v);
        code.line("}");
        break;
      case "other":
        throw new Error("a plan with an unknown part has no writer");
    }
  }

  #string(v: string): void {
    const [i, c] = [this.code.name(), this.code.name()];
    this.code.line(
      `if (typeof ${v} !== "string") ${UNFIT}`,
      `n = ${v}.length; if (p + ${HEAD_BYTES} + 3 * n > end) ${NO_ROOM}`,
      `if (n <= ${LOOP_MAX}) {`,
      `let ${i} = 0; for (; ${i} < n; ${i} += 1) { const ${c} = ${v}.charCodeAt(${i}); if (${c} > 127) break; b[p + 1 + ${i}] = ${c}; }`,
      `if (${i} === n) { b[p] = 0xa0 | n; p += 1 + n; }`,
      `else { n = b.utf8Write(${v}, p + 2); b[p] = 0xd9; b[p + 1] = n; p += 2 + n; }`, // At most 72 bytes.
      `} else if (n <= 85) { n = b.utf8Write(${v}, p + 2); b[p] = 0xd9; b[p + 1] = n; p += 2 + n; }`, // At most 255.
      `else if (n <= 21845) { n = b.utf8Write(${v}, p + 3); b[p] = 0xda; b[p + 1] = n >>> 8; b[p + 2] = n; p += 3 + n; }`,
      `else ${UNFIT}`,
    );
  }

  #number(v: string): void {
    this.code.line(
      `if (typeof ${v} !== "number") ${UNFIT}`,
      `if (${v} >>> 0 === ${v} && !Object.is(${v}, -0)) {`,
      `if (${v} < 0x80) b[p++] = ${v};`,
      `else if (${v} < 0x100) { b[p] = 0xcc; b[p + 1] = ${v}; p += 2; }`,
      `else if (${v} < 0x10000) { b[p] = 0xcd; b[p + 1] = ${v} >>> 8; b[p + 2] = ${v}; p += 3; }`,
      `else { b[p] = 0xce; b[p + 1] = ${v} >>> 24; b[p + 2] = ${v} >>> 16; b[p + 3] = ${v} >>> 8; b[p + 4] = ${v}; p += 5; }`,
      `} else { b[p] = 0xcb; b.writeDoubleBE(${v}, p + 1); p += 9; }`,
    );
  }

  #packed(text: string): string {
    const bytes = packedWord(text);
    return `${bytes.map((byte, i) => `b[p${i === 0 ? "" : ` + ${i}`}] = ${byte};`).join(" ")} p += ${bytes.length};`;
  }

  #words(words: readonly string[], v: string): void {
    const longest = Math.max(...words.map((word) => packedWord(word).length));
    this.code.line(`if (p + ${longest + HEAD_BYTES} > end) ${NO_ROOM}`);
    for (const [i, word] of words.entries())
      this.code.line(`${i === 0 ? "" : "else "}if (${v} === ${JSON.stringify(word)}) { ${this.#packed(word)} }`);
    this.code.line(`else ${UNFIT}`);
  }

  #bytes(v: string): void {
    this.code.line(
      `if (!(${v} instanceof Uint8Array)) ${UNFIT}`,
      `n = ${v}.length; if (p + ${HEAD_BYTES} + n > end) ${NO_ROOM}`,
      `if (n < 0x100) { b[p] = 0xc4; b[p + 1] = n; p += 2; }`,
      `else if (n < 0x10000) { b[p] = 0xc5; b[p + 1] = n >>> 8; b[p + 2] = n; p += 3; }`,
      `else { b[p] = 0xc6; b.writeUInt32BE(n, p + 1); p += 5; }`,
      `b.set(${v}, p); p += n;`,
    );
  }

  #array(element: Plan, v: string): void {
    const [i, one] = [this.code.name(), this.code.name()];
    this.code.line(
      `if (!Array.isArray(${v}) || ${v}.length > 0xffff) ${UNFIT}`,
      `n = ${v}.length;`,
      `if (n < 16) b[p++] = 0x90 | n; else { b[p] = 0xdc; b[p + 1] = n >>> 8; b[p + 2] = n; p += 3; }`,
      `for (let ${i} = 0; ${i} < ${v}.length; ${i} += 1) { const ${one} = ${v}[${i}]; if (p + ${HEAD_BYTES} > end) ${NO_ROOM}`,
    );
    this.value(element, one);
    this.code.line("}");
  }

  #object(fields: readonly Field[], v: string): void {
    // Without a field that must be there, a list would pass for an object.
    const list = fields.every(({ optional }) => optional) ? ` || Array.isArray(${v})` : "";
    this.code.line(`if (typeof ${v} !== "object" || ${v} === null${list}) ${UNFIT}`);
    this.#fields(fields, v, "");
  }

  #choice({ by, options }: Extract<Plan, { kind: "choice" }>, v: string): void {
    const word = this.code.name();
    this.code.line(
      `if (typeof ${v} !== "object" || ${v} === null) ${UNFIT}`,
      `const ${word} = ${v}[${JSON.stringify(by)}];`,
    );
    for (const [i, option] of options.entries()) {
      this.code.line(`${i === 0 ? "" : "else "}if (${word} === ${JSON.stringify(option.word)}) {`);
      this.#fields(
        option.fields,
        v,
        `${this.#packed(by)} ${this.#packed(option.word)}`,
        packedWord(by).length + packedWord(option.word).length,
      );
      this.code.line("}");
    }
    this.code.line(`else ${UNFIT}`);
  }

  /** @param first Lines that write a first field, which take so many bytes. */
  #fields(fields: readonly Field[], v: string, first: string, firstBytes = 0): void {
    const { code } = this;
    const names = fields.map(() => code.name());
    const head = code.name();
    code.line(`if (p + ${HEAD_BYTES + firstBytes} > end) ${NO_ROOM}`);
    code.line(`const ${head} = p; p += 1; let ${head}n = ${first === "" ? 0 : 1}; ${first}`);
    for (const [i, { name, plan, optional }] of fields.entries()) {
      const one = names[i] ?? "";
      code.line(`const ${one} = ${v}[${JSON.stringify(name)}];`);
      if (optional) code.line(`if (${one} !== undefined) {`);
      code.line(
        `if (p + ${packedWord(name).length + HEAD_BYTES} > end) ${NO_ROOM}`,
        this.#packed(name),
        `${head}n += 1;`,
      );
      this.value(plan, one);
      if (optional) code.line("}");
    }
    code.line(`b[${head}] = 0x80 | ${head}n;`);
  }
}
