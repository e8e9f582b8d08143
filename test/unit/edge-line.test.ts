import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { LINE_BYTES_MAX } from "../../lib/contracts/index.js";
import { LineFramer } from "../../services/edge/frame/line.js";

/** All lines that the framer gives now. */
function drain(framer: LineFramer): string[] {
  const lines: string[] = [];
  for (let line = framer.take(); line !== undefined; line = framer.take()) {
    if (line === "too-long") return [...lines, "too-long"];
    lines.push(Buffer.from(line).toString("latin1"));
  }
  return lines;
}

/** Cuts `bytes` at the given places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return sorted.slice(1).map((end, i) => bytes.subarray(sorted[i], end));
}

/** What the stream means, said in the simplest way. */
function expected(text: string): string[] {
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => line.replace(/\r$/, ""))
    .filter((line) => line !== "");
}

const piece = fc.oneof(
  fc.constantFrom("\n", "\r\n", "\r", "{}", "\n\n"),
  fc.string({ maxLength: 40 }).map((text) => text.replace(/[^\x20-\x7e]/g, "?")),
);

test("where the stream is cut makes no difference to its lines, and nothing of the rest is lost", () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), fc.array(fc.nat(), { maxLength: 60 }), (pieces, places) => {
      const text = pieces.join("");
      const framer = new LineFramer();
      const lines: string[] = [];
      for (const chunk of cut(Buffer.from(text, "latin1"), places)) {
        framer.push(chunk);
        lines.push(...drain(framer));
      }
      expect(lines).toEqual(expected(text));
      expect(Buffer.from(framer.rest()).toString("latin1")).toBe(text.slice(text.lastIndexOf("\n") + 1));
      expect(framer.buffered).toBe(0);
    }),
  );
});

test("lines that are taken late are the same lines, and a second framer goes on where the first one stopped", () => {
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 30 }),
      fc.array(fc.nat(), { maxLength: 30 }),
      fc.nat(10),
      (pieces, places, taken) => {
        const text = `${pieces.join("")}\nend\n`;
        const first = new LineFramer();
        for (const chunk of cut(Buffer.from(text, "latin1"), places)) first.push(chunk);
        const lines: string[] = [];
        for (let i = 0; i < taken; i++) {
          const line = first.take();
          if (line instanceof Uint8Array) lines.push(Buffer.from(line).toString("latin1"));
        }
        const second = new LineFramer();
        second.push(first.rest());
        expect([...lines, ...drain(second)]).toEqual(expected(text));
      },
    ),
  );
});

test("a line of exactly the bound passes, with either line end; one byte more breaks the framer for good", () => {
  const longest = "x".repeat(LINE_BYTES_MAX);
  for (const end of ["\n", "\r\n"]) {
    const framer = new LineFramer();
    framer.push(Buffer.from(longest + end));
    expect(drain(framer)).toEqual([longest]);
  }
  const broken = new LineFramer();
  broken.push(Buffer.from(`a\n${longest}x\nb\n`));
  expect(drain(broken)).toEqual(["a", "too-long"]);
  broken.push(Buffer.from("c\n"));
  expect(broken.take()).toBe("too-long");
});

test("a stream without a newline is given up as soon as it passes the bound, and nothing of it is kept", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3_000 }), (size) => {
      const framer = new LineFramer();
      for (let pushed = 0; pushed <= LINE_BYTES_MAX + 1; pushed += size) {
        expect(framer.take()).toBeUndefined();
        expect(framer.buffered).toBe(pushed);
        framer.push(Buffer.alloc(size, 0x61));
      }
      expect(framer.take()).toBe("too-long");
      expect(framer.buffered).toBe(0);
    }),
    { numRuns: 20 },
  );
});

test("a small line does not keep a large chunk in memory", () => {
  const chunk = Buffer.alloc(8_007, "a"); // Memory of its own, as a socket's chunks have; Buffer.concat's may be of a shared pool.
  chunk.write("small\n");
  chunk.write("\n", 8_006);
  const framer = new LineFramer();
  framer.push(chunk);
  const small = framer.take();
  const large = framer.take();
  expect(small instanceof Uint8Array && small.buffer !== chunk.buffer).toBe(true);
  expect(large instanceof Uint8Array && large.buffer === chunk.buffer).toBe(true);
});

test("a line of the bound, cut between its carriage return and its newline, passes", () => {
  const framer = new LineFramer();
  framer.push(Buffer.from(`${"x".repeat(LINE_BYTES_MAX)}\r`));
  expect(framer.take()).toBeUndefined();
  framer.push(Buffer.from("\n"));
  const line = framer.take();
  expect([line === "too-long", line?.length]).toEqual([false, LINE_BYTES_MAX]);
});
