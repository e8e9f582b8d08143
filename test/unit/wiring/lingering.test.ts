// Why a link drops what its peer had not taken (L1 of link.ts): what libzmq does to a process that waits for a peer which ends.

import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { atEnd } from "../../kit/cleanup.js";

const program = fileURLToPath(new URL("./lingering-child.js", import.meta.url));

async function endOf(linger: number): Promise<unknown> {
  const child = fork(program, ["leave", String(linger)], { stdio: ["ignore", "ignore", "ignore", "ipc"] });
  atEnd(() => child.kill("SIGKILL"));
  const [code, signal] = await once(child, "exit");
  return signal ?? code;
}

test("a socket that is closed without lingering survives its peer's end", async () => {
  expect(await endOf(0)).toBe(0);
});

test("one that lingers is aborted by libzmq with all its process: when this fails, links may linger again", async () => {
  expect(await endOf(3_000)).toBe("SIGABRT");
});
