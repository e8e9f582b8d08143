// What strangers send: honest lines, lines that almost are, and lines that never were. Pure; the same seed gives the same bytes.
//
//   HONEST -> mutate (flip, drop, repeat, swap values, nest, cut) -> a line of bytes, newline included
//   generate -> numbers where strings belong, huge arrays, deep nesting, binary, other protocols

import type { Seed } from "../chaos/seed.js";

const HONEST = [
  '{"id":1,"method":"mining.subscribe","params":["cgminer/4.12.1"]}',
  '{"id":2,"method":"mining.subscribe","params":["cpuminer/2.5.1","default/1f0e"]}',
  '{"id":3,"method":"mining.authorize","params":["fuzz.1","d=16"]}',
  '{"id":4,"method":"mining.submit","params":["fuzz.1","a1b2c3d401","00000000","65000000","0000000f"]}',
  '{"id":5,"method":"mining.submit","params":["fuzz.1","a1b2c3d401","00000000","65000000","0000000f","00002000"]}',
  '{"id":6,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"1fffe000"}]}',
  '{"id":7,"method":"mining.suggest_difficulty","params":[1024]}',
  '{"id":8,"method":"mining.suggest_target","params":["00000000ffff0000"]}',
  '{"id":9,"method":"mining.extranonce.subscribe","params":[]}',
  '{"id":10,"method":"mining.ping","params":[]}',
] as const;

/** Values that stand where another type belongs. */
const VALUES = [
  ...["null", "true", "-1", "1e999", "0.1", "18446744073709551616", '""', '"\\u0000"', "[]", "{}", "[[[[]]]]"],
  ...['"__proto__"', '{"__proto__":{"x":1}}', '{"constructor":1}', '"\\ud800"', '"ffffffffffffffffffff"', '"zz"'],
] as const;

const FOREIGN = [
  "GET / HTTP/1.1\r",
  "Host: pool\r",
  "SSH-2.0-x",
  "\x16\x03\x01\x02\x00\x01",
  "",
  "\r",
  "[]",
  "{}",
] as const;

/** Longer than the edge's 8,192 once in a while; its client is closed for it. */
const LONG_LENGTHS = [1_000, 4_000, 8_000, 8_191] as const;
const TOO_LONG = 9_000;
const TOO_LONG_CHANCE = 0.0002;
const NESTING_MAX = 400;

/** One line, with its newline. */
export function makeLine(seed: Seed): Buffer {
  const kind = seed.next();
  if (kind < 0.2) return ended(Buffer.from(pick(seed, HONEST)));
  if (kind < 0.65) return ended(mutate(seed, Buffer.from(pick(seed, HONEST))));
  if (kind < 0.85) return ended(Buffer.from(retyped(seed)));
  if (kind < 0.95) return ended(Buffer.from(pick(seed, FOREIGN), "latin1"));
  return ended(generate(seed));
}

export function pick<T>(seed: Seed, things: readonly [T, ...T[]]): T {
  return things[seed.int(0, things.length - 1)] ?? things[0];
}

/** A line has one newline, at its end. */
function ended(bytes: Buffer): Buffer {
  const line = Buffer.alloc(bytes.length + 1, 0x0a);
  bytes.copy(line);
  for (let i = 0; i < bytes.length; i++) if (line[i] === 0x0a) line[i] = 0x20;
  return line;
}

/** One to four small damages. */
export function mutate(seed: Seed, honest: Buffer): Buffer {
  let bytes = Buffer.from(honest);
  for (let left = seed.int(1, 4); left > 0 && bytes.length > 0; left--) {
    const at = seed.int(0, bytes.length - 1);
    const until = Math.min(bytes.length, at + seed.int(1, 12));
    const damage = seed.int(0, 4);
    if (damage === 0) bytes[at] = seed.int(0, 255);
    else if (damage === 1) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(until)]);
    else if (damage === 2) bytes = Buffer.concat([bytes.subarray(0, until), bytes.subarray(at)]);
    else if (damage === 3) bytes = bytes.subarray(0, at);
    else bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(pick(seed, VALUES)), bytes.subarray(at)]);
  }
  return bytes;
}

/** A request of the right form whose parts are of other types. */
function retyped(seed: Seed): string {
  const honest = JSON.parse(pick(seed, HONEST)) as { id: number; method: string; params: unknown[] };
  const id = seed.chance(0.3) ? pick(seed, VALUES) : honest.id;
  const params = honest.params.map((param) => (seed.chance(0.5) ? pick(seed, VALUES) : JSON.stringify(param)));
  if (seed.chance(0.2)) params.pop();
  if (seed.chance(0.1)) params.push(...Array.from({ length: seed.int(1, 200) }, () => pick(seed, VALUES)));
  const method = seed.chance(0.1) ? pick(seed, VALUES) : JSON.stringify(honest.method);
  return `{"id":${id},"method":${method},"params":[${params.join(",")}]}`;
}

function generate(seed: Seed): Buffer {
  if (seed.chance(TOO_LONG_CHANCE)) return Buffer.alloc(TOO_LONG, "x");
  if (seed.chance(0.3)) return Buffer.from("[".repeat(seed.int(1, NESTING_MAX)));
  const length = seed.chance(0.02) ? pick(seed, LONG_LENGTHS) : seed.int(1, 80);
  return Buffer.from(Array.from({ length }, () => seed.int(0, 255)));
}

/** The same bytes in pieces that end anywhere. */
export function cutAnywhere(seed: Seed, bytes: Buffer, pieces: number): Buffer[] {
  const cuts = Array.from({ length: pieces - 1 }, () => seed.int(0, bytes.length)).sort((a, b) => a - b);
  const ends = [...cuts, bytes.length];
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end)).filter((piece) => piece.length > 0);
}
