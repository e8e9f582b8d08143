// The small pure parts: words of a command, patterns, variables, times, backoff, lines.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { afterDeath, BACKOFF, type Backoff, FRESH } from "../../../circus/backoff.js";
import { CommandError, commandWords, splitWords } from "../../../circus/command.js";
import { globMatches } from "../../../circus/glob.js";
import { human } from "../../../circus/info.js";
import { LINE_BYTES_MAX, LineSplitter, Tail } from "../../../circus/logs.js";
import { formatTime } from "../../../circus/timestamp.js";
import { replaceVariables, VariableError } from "../../../circus/variables.js";

describe("a command line", () => {
  test.each([
    ["a b  c", ["a", "b", "c"]],
    ["a 'b c' \"d e\"", ["a", "b c", "d e"]],
    ["a\\ b", ["a b"]],
    ["'a'\"b\"c", ["abc"]],
    ['"a\\"b" "c\\d"', ['a"b', "c\\d"]],
    ["'' x", ["", "x"]],
    ["  ", []],
    ["$HOME *", ["$HOME", "*"]],
  ])("%s is split like a shell does, and nothing is expanded", (text, words) => {
    expect(splitWords(text)).toEqual(words);
  });

  test("an open quote is an error", () => {
    expect(() => splitWords("a 'b")).toThrow(CommandError);
  });

  test("any words survive quoting", () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (words) => {
        const quoted = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
        expect(splitWords(quoted)).toEqual(words);
      }),
    );
  });

  test("limits are set by prlimit, in front", () => {
    const command = { cmd: "node x", args: ["y"], shell: false, rlimits: { nofile: 100, core: undefined } };
    expect(commandWords(command)).toEqual([
      ...["prlimit", "--nofile=100:100", "--core=unlimited:unlimited", "--", "node", "x", "y"],
    ]);
  });

  test("with shell, the shell gets the line as it is", () => {
    expect(commandWords({ cmd: "a | b", args: [], shell: true, rlimits: {} })).toEqual(["/bin/sh", "-c", "a | b"]);
  });
});

test.each([
  ["str*", "stratum", true],
  ["str*", "restr", false],
  ["a?c", "abc", true],
  ["a.c", "abc", false],
  ["[ab]x", "bx", true],
  ["[!ab]x", "bx", false],
  ["*", "", true],
  ["[z-a]", "b", false],
  ["a(b", "a(b", true],
])("the pattern %s and the name %s: %s", (glob, name, expected) => {
  expect(globMatches(glob, name)).toBe(expected);
});

describe("variables", () => {
  const values = { wid: 7, env: { A: "1", b: "2" }, sockets: new Map([["web", 3]]) };

  test.each([
    ["$(circus.wid)", "7"],
    ["((circus.wid))", "7"],
    ["$(CIRCUS.WID)", "7"],
    ["$(circus.env.A)-$(circus.env.B)", "1-2"],
    ["fd://$(circus.sockets.WEB)", "fd://3"],
    ["$(other.x) $A", "$(other.x) $A"],
  ])("%s -> %s", (text, expected) => {
    expect(replaceVariables(text, values)).toBe(expected);
  });

  test.each(["$(circus.env.NOPE)", "$(circus.sockets.nope)", "$(circus.nope)"])("%s is refused by name", (text) => {
    expect(() => replaceVariables(text, values)).toThrow(VariableError);
    expect(() => replaceVariables(text, values)).toThrow(text);
  });
});

test("time_format is strftime's", () => {
  expect(formatTime("%Y-%m-%d %H:%M:%S.%f %% x", new Date(2026, 0, 2, 3, 4, 5, 67))).toBe(
    "2026-01-02 03:04:05.067000 % x",
  );
});

test.each([
  [0, "0B"],
  [1_023, "1023B"],
  [45_000_000, "42M"],
  [2 ** 31, "2G"],
])("%d bytes are %s", (bytes, text) => {
  expect(human(bytes)).toBe(text);
});

describe("backoff", () => {
  const options = { ...BACKOFF, retryMax: 5, windowMs: 60_000 };
  const die = (before: Backoff, atMs: number, livedMs: number, chance = 0.999) => {
    return afterDeath(before, { atMs, livedMs }, options, chance);
  };

  test("a process that had lived long starts again at once", () => {
    expect(die(FRESH, 100_000, 10_000).verdict).toEqual({ kind: "again", delayMs: 0 });
  });

  test("young deaths wait twice as long each time, half of it by chance, up to the cap", () => {
    const limitless = { ...options, retryMax: -1 };
    let backoff = FRESH;
    const waits = Array.from({ length: 12 }, (_, i) => {
      const next = afterDeath(backoff, { atMs: i, livedMs: 5 }, limitless, 0);
      backoff = next.backoff;
      return next.verdict.kind === "again" ? next.verdict.delayMs : -1;
    });
    expect(waits).toEqual([50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000, 5_000, 5_000]);
    expect(die(FRESH, 1, 5, 0.5).verdict).toEqual({ kind: "again", delayMs: 75 });
  });

  test("the sixth death within the window gives up; deaths outside of it are forgotten", () => {
    let backoff = FRESH;
    for (let i = 0; i < 5; i++) backoff = die(backoff, i * 1_000, 5).backoff;
    expect(die(backoff, 5_000, 5).verdict).toMatchObject({ kind: "give up", deaths: 6 });
    expect(die(backoff, 60_500, 5).verdict.kind).toBe("again");
  });

  test("without a limit it never gives up, and remembers a bounded number", () => {
    const limitless = { ...options, retryMax: -1, windowMs: 1e9 };
    let backoff = FRESH;
    for (let i = 0; i < 2_000; i++) backoff = afterDeath(backoff, { atMs: i, livedMs: 0 }, limitless, 0.5).backoff;
    expect(backoff.deaths.length).toBeLessThanOrEqual(1_000);
  });
});

describe("output", () => {
  test("however the bytes arrive, whole lines come out, and nothing is lost", () => {
    const chunks = fc.array(fc.constantFrom("a", "bc\n", "\n", "d\ne", "é\n"));
    fc.assert(
      fc.property(chunks, (pieces) => {
        const lines: string[] = [];
        const splitter = new LineSplitter((line) => lines.push(line.toString()));
        for (const piece of pieces) splitter.push(Buffer.from(piece));
        splitter.end();
        const whole = pieces.join("");
        expect(lines.join("")).toBe(whole === "" || whole.endsWith("\n") ? whole : `${whole}\n`);
        expect(lines.every((line) => line.endsWith("\n") && line.indexOf("\n") === line.length - 1)).toBe(true);
      }),
    );
  });

  test("a line without end is cut, so memory stays bounded", () => {
    const lines: number[] = [];
    const splitter = new LineSplitter((line) => lines.push(line.length));
    splitter.push(Buffer.alloc(LINE_BYTES_MAX * 2 + 5, "x"));
    expect(lines).toEqual([LINE_BYTES_MAX, LINE_BYTES_MAX]);
  });

  test("the tail keeps the last lines", () => {
    const tail = new Tail();
    for (let i = 0; i < 100; i++) tail.add(Buffer.from(`line ${i}\n`));
    expect(tail.lines).toHaveLength(Tail.LINES_MAX);
    expect(tail.lines.at(-1)).toBe("line 99");
  });
});
