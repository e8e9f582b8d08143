// What docs/ says of other files must be true of them: tests, messages, pages and keys that it names exist.

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { WIRING_ERROR_CODES, WiringError, type WiringErrorCode } from "../../lib/wiring/index.js";
import { KIND } from "../../lib/wiring/rpc/frames.js";
import { ERROR_CODES } from "../../services/stratum/protocol/errors.js";
import { METHODS } from "../../services/stratum/protocol/requests.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

const PROMISES = [
  "C1",
  "C2",
  "C3",
  "C4",
  "C5",
  "S1",
  "S2",
  "S3",
  "S4",
  "S5",
  "J1",
  "J2",
  "J3",
  "W1",
  "W2",
  "W3",
  "W4",
  "W5",
  "W6",
];
const SOURCES = ["bin", "circus", "demo", "haproxy", "lib", "services"];
/** A shorter piece of a message proves nothing. */
const PIECE_MIN = 8;

test("docs/promises.md names, for every promise, tests that exist under that title", () => {
  const sections = read("docs/promises.md").split(/^### /m).slice(1);
  expect(sections.map((section) => section.split("\n")[0])).toEqual(PROMISES);
  for (const section of sections) {
    const named = [...section.matchAll(/^- `(test\/[\w/.-]+)`: (.+)$/gm)];
    expect(named.length).toBeGreaterThan(0);
    const missing = named.filter(
      ([, file = "", title = ""]) => !existsSync(join(ROOT, file)) || !read(file).includes(title),
    );
    expect(missing.map(([line]) => line)).toEqual([]);
  }
});

test("docs/stratum.md lists every method that is served, no other, and every error with its code", () => {
  const page = read("docs/stratum.md");
  const cells = [...page.matchAll(/^\| (`[^|]+) \|/gm)].map(([, cell = ""]) => cell).join(" ");
  const named = new Set([...cells.matchAll(/`((?:mining|client)\.[\w.]+)`/g)].map(([, name = ""]) => name));
  expect([...named].sort()).toEqual([...METHODS.keys()].sort());
  for (const [reason, code] of Object.entries(ERROR_CODES)) expect(page).toContain(`| ${code} | \`${reason}\` |`);
});

test("docs/troubleshooting.md quotes messages that the code says", () => {
  const sources = [...SOURCES.flatMap((folder) => filesBelow(folder, /\.ts$/)), "bin/setup"].map(read);
  const quoted = [...read("docs/troubleshooting.md").matchAll(/^### `(.+)`$/gm)].map(([, message = ""]) => message);
  expect(quoted.length).toBeGreaterThan(20);
  const unknown = quoted.filter((message) => {
    const pieces = message.split("…").map((piece) => piece.trim());
    expect(pieces.some((piece) => piece.length >= PIECE_MIN)).toBe(true);
    return !sources.some((source) => pieces.every((piece) => source.includes(piece)));
  });
  expect(unknown).toEqual([]);
});

test("docs/wire-format.md has every kind of message under its number, and every error code that travels with what it says", () => {
  const page = read("docs/wire-format.md");
  const kinds = [...page.matchAll(/^\| `(\w+)` \| (\d+) \|/gm)].map(([, name, number]) => [name, Number(number)]);
  expect(Object.fromEntries(kinds)).toEqual(KIND);
  const codes = (row: string) => [...row.matchAll(/`([A-Z_]+)`/g)].map(([, code]) => code as WiringErrorCode);
  const rows = [...page.matchAll(/^\| (`[A-Z_]+`.*) \| (yes|no) \| (yes|no|only .*) \|$/gm)];
  const travelling = rows.flatMap(([, names = "", ran, again]) =>
    codes(names).map((code) => {
      const { sent, retryable } = new WiringError(code, "");
      expect({ code, ran, again: again !== "no" }).toEqual({ code, ran: sent ? "yes" : "no", again: retryable });
      return code;
    }),
  );
  const staying = codes(/^(`TIMEOUT`.*) are said by/m.exec(page)?.[1] ?? "");
  expect([...travelling, ...staying].sort()).toEqual([...WIRING_ERROR_CODES].sort());
});

test("ARCHITECTURE.md and the pages of docs/ name files that exist", () => {
  const files = [...SOURCES, "chaos", "deploy", "docs", "examples", "fuzz", "test"].flatMap((folder) =>
    filesBelow(folder, /./),
  );
  const pages = ["ARCHITECTURE.md", ...filesBelow("docs", /\.md$/)];
  const missing = pages.flatMap((page) =>
    [...read(page).matchAll(/`([\w./-]+\.(?:ts|ini|py))`/g)]
      .map(([, name = ""]) => name)
      .filter((name) => !files.some((file) => file === name || file.endsWith(`/${name}`)))
      .map((name) => `${page}: ${name}`),
  );
  expect(missing).toEqual([]);
});

test("every link between the pages leads to a page, and to a heading of it", () => {
  const pages = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    ...["docs", "examples", "deploy"].flatMap((it) => filesBelow(it, /\.md$/)),
  ];
  const broken = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].flatMap(([, link = ""]) => {
      const [path = "", heading] = link.split("#");
      const target = path === "" ? page : join(dirname(page), path);
      if (!existsSync(join(ROOT, target))) return [`${page}: ${link}`];
      return heading === undefined || headings(target).includes(heading) ? [] : [`${page}: ${link} (no such heading)`];
    }),
  );
  expect(broken).toEqual([]);
});

function headings(page: string): string[] {
  return [...read(page).matchAll(/^#+ (.+)$/gm)].map(([, text = ""]) =>
    text
      .toLowerCase()
      .replace(/[^\w\s-]/g, "")
      .replaceAll(" ", "-"),
  );
}

function filesBelow(folder: string, wanted: RegExp): string[] {
  return readdirSync(join(ROOT, folder)).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(join(ROOT, path)).isDirectory()) return filesBelow(path, wanted);
    return wanted.test(name) ? [path] : [];
  });
}
