// What circus.ini's text means, rule by rule, and that no text whatever breaks the parser.

import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { IniError, parseIni } from "../../../circus/ini.js";

function plain(text: string): Record<string, Record<string, string>> {
  const sections = [...parseIni(text, "circus.ini")].map(([name, keys]) => {
    return [name, Object.fromEntries([...keys].map(([key, entry]) => [key, entry.value]))] as const;
  });
  return Object.fromEntries(sections);
}

test.each([
  ["a key and its value", "[a]\nx = 1", { a: { x: "1" } }],
  [
    "`:` ends a key as `=` does, the first of them",
    "[a]\nx: 1\ny = a:b\nz : c=d",
    { a: { x: "1", y: "a:b", z: "c=d" } },
  ],
  ["comments begin in the first column", "# c\n[a]\n; c\nx = 1", { a: { x: "1" } }],
  ["rem is a comment", "[a]\nrem x = 2\nx = 1", { a: { x: "1" } }],
  ["an indented line continues the value", "[a]\nx = 1\n  2\n\t3", { a: { x: "1\n2\n3" } }],
  ["an indented # is no comment but a continuation", "[a]\nx = 1\n # 2", { a: { x: "1\n# 2" } }],
  ["a blank line does not end a continued value", "[a]\nx = 1\n\n  2", { a: { x: "1\n2" } }],
  [
    "the same section twice is one section",
    "[a]\nx = 1\n[b]\ny = 2\n[a]\nz = 3",
    { a: { x: "1", z: "3" }, b: { y: "2" } },
  ],
  ["the FIRST duplicate key wins", "[a]\nx = 1\nx = 2", { a: { x: "1" } }],
  ["also across a divided section", "[a]\nx = 1\n[b]\n[a]\nx = 2", { a: { x: "1" }, b: {} }],
  ["the duplicate's continuation goes with it", "[a]\nx = 1\nx = 2\n  3\ny = 4", { a: { x: "1", y: "4" } }],
  ["keys are case-sensitive", "[a]\nx = 1\nX = 2", { a: { x: "1", X: "2" } }],
  ["` ;` begins a comment within a value, `;` alone does not", "[a]\nx = 1 ; c\ny = 1;2", { a: { x: "1", y: "1;2" } }],
  ['`""` and nothing are the empty value', '[a]\nx = ""\ny =', { a: { x: "", y: "" } }],
  ["Windows line ends", "[a]\r\nx = 1\r\n", { a: { x: "1" } }],
  ["section names are taken as they are", "[watcher: My Pool]\nx = 1", { "watcher: My Pool": { x: "1" } }],
  [
    "the names of JavaScript's own objects are names",
    "[__proto__]\nconstructor = 1",
    JSON.parse('{"__proto__":{"constructor":"1"}}'),
  ],
])("%s", (_rule, text, expected) => {
  expect(plain(text)).toEqual(expected);
});

test.each([
  ["a key before any section", "x = 1", 1],
  ["a line that is no key", "[a]\nx = 1\nnonsense", 3],
  ["a line without a name before `=`", "[a]\n= 1", 2],
  ["an indented line before any section", "\n  x = 1", 2],
])("refused with its line: %s", (_what, text, line) => {
  expect(() => parseIni(text, "pool.ini")).toThrow(IniError);
  expect(() => parseIni(text, "pool.ini")).toThrow(`pool.ini:${line}: `);
});

test("an included file adds keys and never replaces them", () => {
  const ini = parseIni("[a]\nx = main", "main.ini");
  parseIni("[a]\nx = included\ny = included", "more.ini", ini);
  expect(ini.get("a")?.get("x")).toEqual({ value: "main", file: "main.ini", line: 2 });
  expect(ini.get("a")?.get("y")).toEqual({ value: "included", file: "more.ini", line: 3 });
});

describe("whatever the text", () => {
  const piece = fc.constantFrom(
    "[",
    "]",
    "=",
    ":",
    ";",
    "#",
    "\n",
    " ",
    "\t",
    "a",
    "[a]\n",
    "x = 1\n",
    '""',
    "\r\n",
    "\0",
    "é",
  );
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(piece).map((pieces) => pieces.join("")),
  );

  test("only an IniError is ever thrown", () => {
    fc.assert(
      fc.property(text, (input) => {
        try {
          parseIni(input, "f");
        } catch (error) {
          expect(error).toBeInstanceOf(IniError);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("what was written as keys and values is read back", () => {
    const word = fc.stringMatching(/^[a-z][a-z0-9_.]{0,10}$/).filter((name) => name !== "rem");
    const value = fc.stringMatching(/^[a-zA-Z0-9/ _=:-]{0,30}$/).map((raw) => raw.trim());
    const section = fc.dictionary(word, value, { noNullPrototype: true });
    fc.assert(
      fc.property(fc.dictionary(word, section, { noNullPrototype: true }), (sections) => {
        const lines = Object.entries(sections).flatMap(([name, keys]) => {
          return [`[${name}]`, ...Object.entries(keys).map(([key, text]) => `${key} = ${text}`)];
        });
        expect(plain(lines.join("\n"))).toEqual(sections);
      }),
      { numRuns: 200 },
    );
  });
});
