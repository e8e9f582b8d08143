// Code: lines of JavaScript in the making, and what they may refer to. What reader.ts and writer.ts share.
//
// Only a contract's own words come into the code, as quoted strings; nothing that was received ever does.

/** Collects lines, hands out names, keeps the values (patterns, tests, schemas) that the code refers to. */
export class Code {
  readonly #lines: string[] = [];
  readonly #kept: unknown[] = [];
  #names = 0;

  line(...lines: readonly string[]): void {
    this.#lines.push(...lines);
  }

  /** A name that is not used elsewhere. */
  name(): string {
    this.#names += 1;
    return `v${this.#names}`;
  }

  /** The name of a value from outside. */
  keep(value: unknown): string {
    return `kept[${this.#kept.push(value) - 1}]`;
  }

  /** @returns the function, or undefined where making code from text is forbidden. */
  build<F>(parameters: readonly string[]): F | undefined {
    try {
      const make = new Function(
        "kept",
        `"use strict"; return (${parameters.join(", ")}) => {\n${this.#lines.join("\n")}\n};`,
      );
      return make(this.#kept) as F;
    } catch (error) {
      if (error instanceof EvalError) return undefined; // node --disallow-code-generation-from-strings
      throw error;
    }
  }
}

/** The MessagePack bytes of a short string: its header and its text. */
export function packedWord(text: string): readonly number[] {
  const bytes = Buffer.from(text);
  return [0xa0 | bytes.length, ...bytes];
}

/** `b[p]===161&&b[p+1]===110` */
export const matches = (bytes: readonly number[]): string =>
  bytes.map((byte, i) => `b[p${i === 0 ? "" : `+${i}`}]===${byte}`).join("&&");
