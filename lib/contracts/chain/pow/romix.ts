// romix: the dear part of scrypt (N = 1,024, r = 1), for four hashes at once.
//
//   four blocks of 128 bytes -> 1,024 rows each, then 1,024 rows read in an order that the data decides -> four blocks of 128 bytes
//
// A vector holds the same word of four hashes, so each instruction works for all four; a processor core is through with the four in
// little more time than one hash by itself takes. The rows of a hash lie together: an order that nobody foresees costs two
// cache lines a row, not eight.
//
// Source: RFC 7914, sections 3 to 5 (Salsa20/8, scryptBlockMix, scryptROMix).

import { assemble, type Code, I32, op, repeat, V128 } from "../wasm/assembler.js";

export const LANES = 4;
export const BLOCK_BYTES = 128;
const ROWS = 1_024;
const WORDS = BLOCK_BYTES / 4;
const HALF = WORDS / 2;
const VECTOR = 16;

/** In memory: the words of all four, what went into a Salsa20/8, the blocks as they come and go, the rows of each hash. */
const STATE = 0;
const MIXED = WORDS * VECTOR;
const BLOCKS = 1_024;
const TABLES = 65_536;
const TABLE_BYTES = ROWS * BLOCK_BYTES;
const PAGES = (TABLES + LANES * TABLE_BYTES) / 65_536;

/** By Salsa20's definition: which word becomes the xor of which sum, rotated; columns, then rows. */
const QUARTERS = [
  [4, 0, 12, 7],
  [8, 4, 0, 9],
  [12, 8, 4, 13],
  [0, 12, 8, 18],
] as const;
const COLUMN = (word: number, step: number): number => (word + 5 * step) % HALF;
const ROW = (word: number, step: number): number => 4 * step + ((step + word / 4) % 4);

const join = (codes: readonly Code[]): Code => codes.flat();
const every = (count: number, code: (i: number) => Code): Code =>
  join(Array.from({ length: count }, (_, i) => code(i)));

/** x[to] ^= (x[a] + x[b]) <<< bits; `x` begins at local `first`, `spare` is free. */
function quarterStep(first: number, spare: number, to: number, a: number, b: number, bits: number): Code {
  const sum = [...op.get(first + a), ...op.get(first + b), ...op.vadd, ...op.set(spare)];
  const left = [...op.get(spare), ...op.constant(bits), ...op.vshl, ...op.vxor];
  const right = [...op.get(spare), ...op.constant(32 - bits), ...op.vshr, ...op.vxor];
  return [...sum, ...op.get(first + to), ...left, ...right, ...op.set(first + to)];
}

function doubleRound(first: number, spare: number): Code {
  const half = (place: (word: number, step: number) => number) =>
    join(
      QUARTERS.map(([to, a, b, bits]) =>
        every(4, (step) => quarterStep(first, spare, place(to, step), place(a, step), place(b, step), bits)),
      ),
    );
  return [...half(COLUMN), ...half(ROW)];
}

/** mix(to, other): the half block at `to` becomes Salsa20/8 of its xor with the other half. */
function mixCode(): Code {
  const [to, other, first, spare] = [0, 1, 2, 2 + HALF];
  const enter = every(HALF, (w) => [
    ...op.constant(MIXED),
    ...op.get(to),
    ...op.vload(w * VECTOR),
    ...op.get(other),
    ...op.vload(w * VECTOR),
    ...op.vxor,
    ...op.tee(first + w),
    ...op.vstore(w * VECTOR),
  ]);
  const leave = every(HALF, (w) => [
    ...op.get(to),
    ...op.get(first + w),
    ...op.constant(MIXED),
    ...op.vload(w * VECTOR),
    ...op.vadd,
    ...op.vstore(w * VECTOR),
  ]);
  return [...enter, ...every(4, () => doubleRound(first, spare)), ...leave];
}

const HALVES = (from: number): Code => [
  ...[0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23].map((byte) => (byte % 16) + from + (byte > 15 ? 16 : 0)),
];
const LOW_PAIRS = HALVES(0);
const HIGH_PAIRS = HALVES(8);
const LOW = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
const HIGH = LOW.map((byte) => byte + 8);

/** Four vectors in locals `a` become four in locals `b`: rows into columns. */
function transpose(a: number, b: number, spare: number): Code {
  const pick = (left: number, right: number, bytes: Code, to: number): Code => [
    ...op.get(left),
    ...op.get(right),
    ...op.shuffle(bytes),
    ...op.set(to),
  ];
  const pairs = [
    ...pick(a, a + 1, LOW_PAIRS, spare),
    ...pick(a, a + 1, HIGH_PAIRS, spare + 1),
    ...pick(a + 2, a + 3, LOW_PAIRS, spare + 2),
    ...pick(a + 2, a + 3, HIGH_PAIRS, spare + 3),
  ];
  return [
    ...pairs,
    ...pick(spare, spare + 2, LOW, b),
    ...pick(spare, spare + 2, HIGH, b + 1),
    ...pick(spare + 1, spare + 3, LOW, b + 2),
    ...pick(spare + 1, spare + 3, HIGH, b + 3),
  ];
}

/** Locals of spread and gather: four addresses, then vectors. */
const [ROWS_OF, FROM, TO, SPARE] = [0, 4, 8, 12];
const MOVE_LOCALS = [[12, V128]] as const;
/** Transposes use vectors as locals 4 to 15. */
const groups = (code: (group: number) => Code): Code => every(WORDS / 4, code);

/** spread(a, b, c, d): the state goes to the four addresses, a hash each. */
const spreadCode = groups((group) => [
  ...every(4, (i) => [...op.constant(STATE), ...op.vload((4 * group + i) * VECTOR), ...op.set(FROM + i)]),
  ...transpose(FROM, TO, SPARE),
  ...every(4, (i) => [...op.get(ROWS_OF + i), ...op.get(TO + i), ...op.vstore(VECTOR * group)]),
]);

/** gather(a, b, c, d): what stands at the four addresses is xored into the state. */
const gatherCode = groups((group) => [
  ...every(4, (i) => [...op.get(ROWS_OF + i), ...op.vload(VECTOR * group), ...op.set(FROM + i)]),
  ...transpose(FROM, TO, SPARE),
  ...every(4, (i) => [
    ...op.constant(STATE),
    ...op.get(TO + i),
    ...op.constant(STATE),
    ...op.vload((4 * group + i) * VECTOR),
    ...op.vxor,
    ...op.vstore((4 * group + i) * VECTOR),
  ]),
]);

const [MIX, SPREAD, GATHER] = [0, 1, 2];
const SECOND = STATE + HALF * VECTOR;
const blockMix = [
  ...op.constant(STATE),
  ...op.constant(SECOND),
  ...op.call(MIX),
  ...op.constant(SECOND),
  ...op.constant(STATE),
  ...op.call(MIX),
];
const lanes = (address: (lane: number) => Code): Code => every(LANES, address);
const blocks = lanes((lane) => op.constant(BLOCKS + lane * BLOCK_BYTES));
const tableOf = (lane: number): number => TABLES + lane * TABLE_BYTES;
const ROW_SHIFT = Math.log2(BLOCK_BYTES);

function romixCode(): Code {
  const row = 0;
  const clear = every(WORDS, (w) => [
    ...op.constant(STATE + w * VECTOR),
    ...op.constant(STATE + w * VECTOR),
    ...op.vload(0),
    ...op.constant(STATE + w * VECTOR),
    ...op.vload(0),
    ...op.vxor,
    ...op.vstore(0),
  ]);
  const inOrder = lanes((lane) => [
    ...[...op.get(row), ...op.constant(ROW_SHIFT), ...op.shl, ...op.constant(tableOf(lane)), ...op.add],
  ]);
  const asTheySay = lanes((lane) => [
    ...[...op.constant(SECOND), ...op.vload(0), ...op.lane(lane), ...op.constant(ROWS - 1), ...op.and],
    ...[...op.constant(ROW_SHIFT), ...op.shl, ...op.constant(tableOf(lane)), ...op.add],
  ]);
  return [
    ...[...clear, ...blocks, ...op.call(GATHER)],
    ...repeat(row, ROWS, [...inOrder, ...op.call(SPREAD), ...blockMix]),
    ...repeat(row, ROWS, [...asTheySay, ...op.call(GATHER), ...blockMix]),
    ...[...blocks, ...op.call(SPREAD)],
  ];
}

export interface Romix {
  /** Four blocks of 128 bytes, one after the other: written before, read after `run`. */
  readonly blocks: Buffer;
  run(): void;
}

/** Takes 576 kB of memory. */
export function openRomix(): Romix {
  const { memory, run } = assemble(PAGES, [
    { name: "mix", params: 2, locals: [[HALF + 1, V128]], code: mixCode() },
    { name: "spread", params: 4, locals: MOVE_LOCALS, code: spreadCode },
    { name: "gather", params: 4, locals: MOVE_LOCALS, code: gatherCode },
    { name: "romix", params: 0, locals: [[1, I32]], code: romixCode() },
  ]);
  const { romix } = run;
  if (!romix) throw new TypeError("a module without its function");
  return { blocks: Buffer.from(memory, BLOCKS, LANES * BLOCK_BYTES), run: romix };
}
