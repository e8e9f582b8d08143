// Log output: real files, /dev/full for a full disk, real processes with a reader that stands still.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { LineWriter, LogFile } from "../../../lib/log/index.js";
import { until } from "../../kit/until.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "log-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const lost = (lines: number, why: string): string => `lost ${lines}: ${why}\n`;
const linesOf = (file: string): string[] => readFileSync(file, "utf8").split("\n").slice(0, -1);

/** A process that logs by `standardLines(2)` as `code` says. */
function logger(code: string, stderr: "pipe" | number) {
  const module = new URL("../../../lib/log/index.js", import.meta.url).href;
  const program = `import { standardLines } from ${JSON.stringify(module)}; const log = standardLines(2); ${code}`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "pipe", stderr] });
  return { child, ended: once(child, "exit") };
}

describe("a line writer", () => {
  test("keeps what a full disk refuses, in order, and says how many lines it could not keep", async () => {
    const [full, file] = [openSync("/dev/full", "w"), openSync(join(folder, "a.log"), "a")];
    let fd = full;
    const told: Error[] = [];
    const writer = new LineWriter(
      { fd: () => fd },
      { lost, onProblem: (error) => told.push(error), queueBytesMax: 40 },
    );
    for (let i = 10; i < 20; i++) writer.write(`line ${i}\n`); // 8 bytes each: five fit.
    fd = file;
    await until("what waited is written", 5_000, () => linesOf(join(folder, "a.log")).length === 6);
    writer.write("after\n");
    expect(linesOf(join(folder, "a.log"))).toEqual([
      ...["line 10", "line 11", "line 12", "line 13", "line 14"],
      expect.stringMatching(/^lost 5: ENOSPC/),
      "after",
    ]);
    expect(told).toHaveLength(1);
    for (const one of [full, file]) closeSync(one);
  });

  test("a process goes on while the reader of its log stands still; each line arrives or is counted", async () => {
    const total = 40_000;
    const { child, ended } = logger(
      `for (let i = 0; i < ${total}; i++) log.write("line " + i + " ".repeat(90) + "\\n");
       process.stdout.write("goes on\\n"); setTimeout(() => process.exit(), 60_000);
       process.once("SIGTERM", () => { clearInterval(look); process.exit(); });
       const look = setInterval(() => log.lost === 0 && process.stdout.write("told\\n"), 20);`,
      "pipe",
    );
    const { stdout, stderr } = child;
    if (stdout === null || stderr === null) throw new Error("no pipes");
    let said = "";
    stdout.on("data", (chunk) => {
      said += String(chunk);
    });
    await until("it has logged everything", 10_000, () => said.includes("goes on"));
    expect(said).not.toContain("told");
    const read = text(stderr);
    await until("the loss is told", 10_000, () => said.includes("told"));
    child.kill("SIGTERM");
    await ended;
    const lines = (await read).split("\n").slice(0, -1);
    const notices = lines.filter((line) => line.startsWith("{")).map((line) => Number(JSON.parse(line).lost));
    const counted = notices.reduce((sum, count) => sum + count, 0);
    expect(counted).toBeGreaterThan(0);
    expect(lines.length - notices.length + counted).toBe(total);
  });

  test.each(["SIGKILL", "SIGABRT"])("every line before a death by %s is in the file", async (signal) => {
    const file = join(folder, "a.log");
    const fd = openSync(file, "a");
    const code = `for (let i = 0; i < 50; i++) log.write("line " + i + "\\n"); process.kill(process.pid, "${signal}");`;
    const { ended } = logger(code, fd);
    closeSync(fd);
    await ended;
    expect(linesOf(file)).toHaveLength(50);
  });

  test("a process whose log cannot be written lives, and ends when asked", async () => {
    const fd = openSync("/dev/full", "w");
    const { child, ended } = logger(
      `process.once("SIGTERM", () => process.exit(0)); for (let i = 0; i < 5_000; i++) log.write("line " + i + "\\n");
       process.stdout.write("goes on\\n"); setTimeout(() => {}, 60_000);`,
      fd,
    );
    closeSync(fd);
    await once(child.stdout ?? child, "data");
    child.kill("SIGTERM");
    expect(await ended).toEqual([0, null]);
  });
});

describe("a log file", () => {
  test("that was renamed is opened again at its name", async () => {
    const file = join(folder, "a.log");
    const target = new LogFile(file);
    const writer = new LineWriter(target, { lost });
    writer.write("first\n");
    renameSync(file, `${file}.old`);
    await until("lines go to the new file", 5_000, () => {
      writer.write("more\n");
      return linesOf(file).length > 0;
    });
    expect(linesOf(`${file}.old`)[0]).toBe("first");
    target.close();
  });

  test("that cannot be rotated grows on; told once", () => {
    const file = join(folder, "a.log");
    mkdirSync(`${file}.1/in-use`, { recursive: true }); // A folder that is not empty stands in the way.
    const told: unknown[] = [];
    const target = new LogFile(file, { max_bytes: 50, backup_count: 1 }, (error) => told.push(error));
    const writer = new LineWriter(target, { lost });
    for (let i = 0; i < 100; i++) writer.write(`line ${i}\n`);
    expect(linesOf(file)).toHaveLength(100);
    expect(told).toHaveLength(1);
    target.close();
  });
});
