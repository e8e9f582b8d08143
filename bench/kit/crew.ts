// Crew: the processes of a benchmark as the run holds them.
//
//   const server = await crew.start(PROGRAM, ["serve"]);     const address = await server.ask<string>("open");
//   ... crew.close()                                         nothing is left, whatever happened

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Answered, HotSpot, Usage } from "./agent.js";

/** Longer than any single act: an agent that says nothing for so long hangs. */
const ACT_MS = 120_000;
const END_MS = 3_000;

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class Member {
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  constructor(
    readonly child: ChildProcess,
    readonly name: string,
  ) {
    child.on("message", (answer: Answered) => this.#heard(answer));
    child.on("exit", (code, signal) => this.#fail(`${name} ended (${signal ?? `code ${code}`}) before it answered`));
    child.on("error", (error) => this.#fail(`${name} could not be started: ${error.message}`));
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Resolves once the program can be asked. */
  here(): Promise<unknown> {
    return this.#wait(0, "to begin");
  }

  ask<T>(act: string, given?: unknown): Promise<T> {
    const id = ++this.#lastId;
    const answer = this.#wait(id, act);
    this.child.send({ id, act, with: given });
    return answer as Promise<T>;
  }

  usage(): Promise<Usage> {
    return this.ask<Usage>("usage");
  }

  /** Where its time goes while `doing` runs. */
  async profile(doing: () => Promise<unknown>): Promise<HotSpot[]> {
    await this.ask("profile");
    await doing();
    return this.ask<HotSpot[]>("profiled");
  }

  async end(): Promise<void> {
    const { child } = this;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    if (child.connected) child.disconnect();
    const timer = setTimeout(() => child.kill("SIGKILL"), END_MS);
    await ended;
    clearTimeout(timer);
  }

  #wait(id: number, act: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.name}: no answer to ${act} in ${ACT_MS} ms`)), ACT_MS);
      const settle = (then: () => void) => {
        clearTimeout(timer);
        this.#pending.delete(id);
        then();
      };
      this.#pending.set(id, {
        resolve: (value) => settle(() => resolve(value)),
        reject: (error) => settle(() => reject(error)),
      });
    });
  }

  #heard(answer: Answered): void {
    const pending = this.#pending.get(answer.id);
    if ("error" in answer) pending?.reject(new Error(`${this.name}: ${answer.error}`));
    else pending?.resolve(answer.value);
  }

  #fail(why: string): void {
    for (const pending of [...this.#pending.values()]) pending.reject(new Error(why));
  }
}

export class Crew {
  readonly #members: Member[] = [];

  async start(program: URL, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Promise<Member> {
    const path = fileURLToPath(program);
    const child = fork(path, args, { env: { ...process.env, ...env }, serialization: "advanced" });
    const member = new Member(child, `${path.split("/").at(-1)} ${args.join(" ")}`.trim());
    this.#members.push(member);
    await member.here();
    return member;
  }

  /** Safe twice. */
  async close(): Promise<void> {
    await Promise.all(this.#members.splice(0).map((member) => member.end()));
  }
}
