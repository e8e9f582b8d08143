// front-door: a real HAProxy with its real controller, on a test's Redis; keepers are found by discovery. Gone with the test.
//
//   const door = await startFrontDoor(redis, { listeners: [{ name: "plain" }] });      // after a keeper
//   connect(door.port("plain"));      await door.client.call("reload", {});

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { z } from "zod";
import { Haproxy, type HaproxyPaths, haproxyPaths, haproxySettings } from "../../haproxy/index.js";
import { metricTable, open, type RunningController } from "../../haproxy/main.js";
import { haproxy as contract, type HaproxyContract } from "../../lib/contracts/index.js";
import type { Client, OpenedHouse } from "../../lib/wiring/index.js";
import { atEnd } from "./cleanup.js";
import { openTestHouse } from "./house.js";
import { freePorts } from "./ports.js";
import type { RedisServer } from "./redis.js";

type Input = z.input<typeof haproxySettings>;
type ListenerInput = NonNullable<Input["listeners"]>[number];

export interface FrontDoorOptions {
  /** As in the configuration; without a port they get a free one. */
  readonly listeners: readonly (Omit<ListenerInput, "port"> & { readonly port?: number })[];
  readonly settings?: Omit<Input, "listeners">;
  readonly cluster?: string;
}

const READY_MS = 15_000;

export class FrontDoor {
  controller: RunningController | undefined;
  #child: ChildProcess | undefined;

  constructor(
    readonly house: OpenedHouse,
    readonly client: Client<HaproxyContract>,
    readonly paths: HaproxyPaths,
    readonly control: Haproxy,
    /** What the controller reads when it is told to reload. */
    public input: Input,
  ) {}

  port(listener: string): number {
    return this.input.listeners?.find(({ name }) => name === listener)?.port ?? 0;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async openController(): Promise<void> {
    const reread = () => haproxySettings.parse(this.input);
    this.controller = await open(this.house, reread(), { paths: this.paths, reread });
    await this.client.ready(READY_MS);
  }

  async startHaproxy(): Promise<void> {
    const [program = "haproxy", ...args] = this.control.command;
    const child = spawn(program, args, { stdio: "ignore" });
    this.#child = child;
    const onExit = () => void child.kill("SIGKILL");
    process.once("exit", onExit);
    child.once("exit", () => process.removeListener("exit", onExit));
    await this.control.ready(READY_MS);
  }

  async stopHaproxy(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const end = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await end;
  }
}

/** Resolves when HAProxy serves, with the keepers that discovery lists by then. */
export async function startFrontDoor(redis: RedisServer, options: FrontDoorOptions): Promise<FrontDoor> {
  const directory = await mkdtemp(join(tmpdir(), "hf-door-"));
  atEnd(() => rm(directory, { recursive: true, force: true }));
  const ports = await freePorts(options.listeners.length);
  const listeners = options.listeners.map((each, i) => ({ host: "127.0.0.1", port: ports[i] ?? 0, ...each }));
  const input: Input = { ...options.settings, listeners };
  const paths = haproxyPaths(directory);
  const { cluster } = options;
  const house = await openTestHouse(redis, { tables: [metricTable], ...(cluster === undefined ? {} : { cluster }) });
  const control = Haproxy.at(haproxySettings.parse(input), paths);
  const door = new FrontDoor(house, house.nexus.client(contract), paths, control, input);
  atEnd(async () => {
    await door.controller?.close();
    await door.stopHaproxy();
  });
  await door.openController();
  await door.startHaproxy();
  return door;
}
