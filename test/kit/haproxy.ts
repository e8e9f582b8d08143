// haproxy: a real HAProxy on free loopback ports and private sockets, gone with the test.
//
//   const haproxy = await startHaproxy({ listeners: [{ name: "plain" }], keepers: [keeper.path] });
//   connect(haproxy.port("plain"));      await haproxy.control.reload(5_000);

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { z } from "zod";
import { Haproxy, haproxyPaths, haproxySettings, type KeeperAddress } from "../../haproxy/index.js";
import { atEnd, type Keep } from "./cleanup.js";
import { freePorts } from "./ports.js";

type ListenerInput = NonNullable<z.input<typeof haproxySettings>["listeners"]>[number];

export interface HaproxyOptionsForTest {
  /** As in the configuration; without a port they get a free one. */
  readonly listeners: readonly (Omit<ListenerInput, "port"> & { readonly port?: number })[];
  /** Paths of the keepers' unix sockets, or addresses. */
  readonly keepers: readonly (string | KeeperAddress)[];
  readonly settings?: Omit<z.input<typeof haproxySettings>, "listeners">;
  readonly keep?: Keep;
}

const READY_MS = 10_000;

export interface RunningHaproxy {
  readonly control: Haproxy;
  /** Of the master process. */
  readonly pid: number;
  port(listener: string): number;
  /** Writes the configuration anew with these changes; `control.reload` then makes it count. */
  configure(settings: HaproxyOptionsForTest["settings"]): Promise<void>;
  stop(): Promise<void>;
}

export async function startHaproxy(options: HaproxyOptionsForTest): Promise<RunningHaproxy> {
  const directory = await mkdtemp(join(tmpdir(), "headframe-haproxy-"));
  const paths = haproxyPaths(directory);
  const ports = await freePorts(options.listeners.length);
  const listeners = options.listeners.map((listener, i) => ({ host: "127.0.0.1", port: ports[i] ?? 0, ...listener }));
  const keepers = options.keepers.map((keeper, i) =>
    typeof keeper === "string" ? { name: `keeper${i}`, at: { path: keeper } } : keeper,
  );
  const prepare = (settings: HaproxyOptionsForTest["settings"]) =>
    Haproxy.prepare(haproxySettings.parse({ ...settings, listeners }), keepers, paths);
  const control = await prepare(options.settings);
  const [program = "haproxy", ...args] = control.command;
  const child = spawn(program, args, { stdio: "ignore" });
  // A test run that is killed must not leave servers behind.
  const onExit = () => void child.kill("SIGKILL");
  process.once("exit", onExit);
  const stop = async () => {
    process.removeListener("exit", onExit);
    await ended(child);
    await rm(directory, { recursive: true, force: true });
  };
  atEnd(stop, options.keep);
  await control.ready(READY_MS);
  return {
    control,
    pid: child.pid ?? 0,
    port: (name) => listeners.find((listener) => listener.name === name)?.port ?? 0,
    configure: async (settings) => void (await prepare({ ...options.settings, ...settings })),
    stop,
  };
}

/** The master passes SIGTERM on to all its workers, old ones included, and waits for them. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const end = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await end;
}
