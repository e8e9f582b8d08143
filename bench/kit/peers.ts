// The peers: other packages that do the same thing. They live in bench/node_modules, which `npm run bench` installs; without them
// a run says which references it leaves out.

import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** Of the built file: dist/bench/kit/. */
const BENCH = new URL("../../../bench/", import.meta.url);
const PACKAGES = ["moleculer", "nats", "@grpc/grpc-js", "cote", "fastify", "undici"] as const;
const START_MS = 5_000;
const LOOK_MS = 20;

/** The program of a peer as bench/tsconfig.json builds it; undefined: its packages are not installed. */
export function peerProgram(name: string): URL | undefined {
  const program = new URL(`dist/peers/${name}.js`, BENCH);
  return existsSync(program) && existsSync(new URL("node_modules", BENCH)) ? program : undefined;
}

export function peerVersions(): Record<string, string> {
  const versions: Record<string, string> = {};
  for (const name of PACKAGES) {
    const file = new URL(`node_modules/${name}/package.json`, BENCH);
    if (existsSync(file))
      versions[name] = String((JSON.parse(readFileSync(file, "utf8")) as { version: unknown }).version);
  }
  return versions;
}

export interface NatsServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Debian's nats-server on a free loopback port. Undefined: it is not installed. */
export async function startNats(): Promise<NatsServer | undefined> {
  const port = await freePort();
  const child = spawn("nats-server", ["-a", "127.0.0.1", "-p", `${port}`], {
    stdio: "ignore",
    env: { ...process.env, PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin` },
  });
  let ended = false;
  const end = new Promise<void>((resolve) => {
    for (const event of ["exit", "error"]) {
      child.once(event, () => {
        ended = true;
        resolve();
      });
    }
  });
  const untilMs = performance.now() + START_MS;
  while (!ended && !(await listens(port))) {
    if (performance.now() > untilMs) throw new Error(`nats-server did not listen within ${START_MS} ms`);
    await delay(LOOK_MS);
  }
  if (ended) return undefined;
  return {
    url: `nats://127.0.0.1:${port}`,
    close: async () => {
      child.kill("SIGTERM");
      await end;
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
