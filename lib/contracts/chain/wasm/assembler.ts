// assembler: functions in WebAssembly, put together at start from a few lines of TypeScript each. No compiler is needed to build them,
// and what runs can be read here.
//
//   instructions (arrays of bytes) -> fn(params, locals, code) -> assemble(memory, functions) -> their exports
//
// Only what the hash functions beside it need: 32-bit integers, vectors of four of them, a loop, one memory.
// Source of the encoding: WebAssembly Core Specification 2.0, chapter 5, "Binary Format".

export type Code = readonly number[];
type Type = typeof I32 | typeof V128;

export const I32 = 0x7f;
export const V128 = 0x7b;
const FUNCTION = 0x60;
const NOTHING = 0x40;
const END = 0x0b;

export interface Fn {
  readonly name: string;
  /** All are i32. They are the first locals. */
  readonly params: number;
  /** After the params: so many of each type, in this order. */
  readonly locals: readonly (readonly [count: number, type: Type])[];
  readonly code: Code;
}

/** An unsigned number in LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  do {
    bytes.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest);
    rest >>>= 7;
  } while (rest > 0);
  return bytes;
}

/** A 32-bit number, as signed LEB128. */
function signed(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value | 0; ; rest >>= 7) {
    const last = rest >> 6 === 0 || rest >> 6 === -1;
    bytes.push(last ? rest & 0x7f : (rest & 0x7f) | 0x80);
    if (last) return bytes;
  }
}

const seq = (...parts: readonly Code[]): number[] => parts.flat();
const vector = (code: number): number[] => [0xfd, ...unsigned(code)];
const access = (alignment: number, offset: number): number[] => [alignment, ...unsigned(offset)];

export const op = {
  get: (local: number): Code => [0x20, ...unsigned(local)],
  set: (local: number): Code => [0x21, ...unsigned(local)],
  tee: (local: number): Code => [0x22, ...unsigned(local)],
  constant: (value: number): Code => [0x41, ...signed(value)],
  call: (index: number): Code => [0x10, ...unsigned(index)],
  add: [0x6a],
  and: [0x71],
  xor: [0x73],
  shl: [0x74],
  shr: [0x76],
  rotr: [0x78],
  load: (offset: number): Code => [0x28, ...access(2, offset)],
  store: (offset: number): Code => [0x36, ...access(2, offset)],
  vload: (offset: number): Code => [...vector(0), ...access(4, offset)],
  vstore: (offset: number): Code => [...vector(11), ...access(4, offset)],
  /** Sixteen bytes, chosen by number of the 32 of the two vectors. */
  shuffle: (bytes: Code): Code => [...vector(13), ...bytes],
  lane: (index: number): Code => [...vector(27), index],
  vor: vector(80),
  vxor: vector(81),
  vshl: vector(171),
  vshr: vector(173),
  vadd: vector(174),
} as const;

/** Runs `body` with `counter` at 0, 1 ... `times` - 1. */
export const repeat = (counter: number, times: number, body: Code): Code =>
  seq(
    op.constant(0),
    op.set(counter),
    [0x03, NOTHING],
    body,
    op.get(counter),
    op.constant(1),
    op.add,
    op.tee(counter),
    op.constant(times),
    [0x49, 0x0d, 0], // Below: once more.
    [END],
  );

/** Of the platform; TypeScript describes it among browsers' things only. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: Readonly<Record<string, unknown>> };
  readonly Memory: new (limits: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
};

const list = (items: readonly Code[]): number[] => [...unsigned(items.length), ...items.flat()];
const sized = (bytes: Code): number[] => [...unsigned(bytes.length), ...bytes];
const section = (id: number, items: readonly Code[]): number[] => [id, ...sized(list(items))];
const text = (name: string): number[] => sized([...Buffer.from(name)]);

/** Functions are called by their place in the list. The memory has `pages` of 64 kB, at 0. */
export function assemble(pages: number, functions: readonly Fn[]): { memory: ArrayBuffer; run: Record<string, Run> } {
  const types = functions.map(({ params }) => [FUNCTION, ...list(Array.from({ length: params }, () => [I32])), 0]);
  const bodies = functions.map(({ locals, code }) =>
    sized(seq(list(locals.map(([count, type]) => [...unsigned(count), type])), code, [END])),
  );
  const names = functions.map(({ name }, i) => [...text(name), 0, ...unsigned(i)]);
  const bytes = seq(
    [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    section(1, types),
    section(
      3,
      functions.map((_, i) => unsigned(i)),
    ),
    section(5, [[0, ...unsigned(pages)]]),
    section(7, [[...text("memory"), 2, 0], ...names]),
    section(10, bodies),
  );
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(bytes)));
  const { memory, ...run } = exports;
  if (!(memory instanceof WebAssembly.Memory)) throw new TypeError("a module without its memory");
  return { memory: memory.buffer, run: run as Record<string, Run> };
}

export type Run = (...params: readonly number[]) => void;
