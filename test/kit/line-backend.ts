// line-backend: a backend that has nothing to do with mining, to show what an edge gives to any service.
//
// It answers each line in capitals, with a count of the connection's lines that lives in the state blob only: as long as the
// state goes along, the count has no hole, whichever instance answers. Some lines are commands:
//
//   {join NAME}   enter a group            {say NAME TEXT}  broadcast TEXT to it      {bye}  be closed
//   {big BYTES}   a long answer            {keep}           never acknowledged        {who}  the open event, as JSON
//   {throw}       the handler throws        {hang}          the handler never resolves
//   {die}         the process ends at once, as by a bug (only in a process of its own: programs/line-backend.ts)

import {
  type ClientEvent,
  type Handle,
  type LineBackendContract,
  lineBackend,
  type OpenEvent,
  type Out,
} from "../../lib/contracts/index.js";
import type { Hosted, Nexus, PeerId } from "../../lib/wiring/index.js";

interface Session {
  readonly open: OpenEvent;
  count: number;
}

export interface LineBackendOptions {
  readonly service?: string;
  /** Each answer comes this late. Default 0: in the call that brought the line. */
  readonly delayMs?: number;
}

export class LineBackend {
  readonly #sessions = new Map<string, Session>();
  /** Everything that edges said, in order. */
  readonly heard: ClientEvent[] = [];

  private constructor(
    readonly hosted: Hosted<LineBackendContract>,
    readonly options: LineBackendOptions,
  ) {}

  static async host(nexus: Nexus, options: LineBackendOptions = {}): Promise<LineBackend> {
    let backend: LineBackend | undefined;
    const hosted = await nexus.host(lineBackend(options.service ?? "lines"), {
      events: ({ events }, { caller }) => {
        backend?.hear(caller, events);
        const hangs = events.some((event) => event.kind === "line" && Buffer.from(event.bytes).toString() === "{hang}");
        return hangs ? new Promise(() => {}) : {};
      },
      status: () => ({ connections: backend?.connections ?? 0, counters: {} }),
    });
    backend = new LineBackend(hosted, options);
    return backend;
  }

  get connections(): number {
    return this.#sessions.size;
  }

  hear(caller: PeerId, events: readonly ClientEvent[]): void {
    this.heard.push(...events);
    const outs = events.flatMap((event) => this.#answer(caller, event));
    if (outs.length === 0) return;
    const say = () => void this.hosted.pushTo(caller, "out", { outs });
    if (this.options.delayMs) setTimeout(say, this.options.delayMs);
    else say();
  }

  /** Something unasked, to everybody in the group. */
  broadcast(group: string, text: string, heard?: string): void {
    const bytes = Buffer.from(`${text}\n`);
    this.hosted.push("out", { outs: [{ kind: "broadcast", group, bytes, ...(heard !== undefined && { heard }) }] });
  }

  #answer(caller: PeerId, event: ClientEvent): Out[] {
    const key = `${caller}/${event.handle}`;
    if (event.kind === "open") {
      this.#sessions.set(key, { open: event, count: Number(event.state ? Buffer.from(event.state).toString() : 0) });
      return [];
    }
    const session = this.#sessions.get(key);
    if (event.kind === "close" || !session) {
      this.#sessions.delete(key);
      return [];
    }
    return this.#answerLine(session, event.handle, event.number, Buffer.from(event.bytes).toString());
  }

  #answerLine(
    session: Session,
    handle: Handle,
    number: Extract<ClientEvent, { kind: "line" }>["number"],
    text: string,
  ): Out[] {
    const [, command, argument = "", rest = ""] = /^\{(\w+)(?: ([^ }]+))?(?: ([^}]*))?\}$/.exec(text) ?? [];
    if (command === "keep" || command === "hang") return [];
    if (command === "throw") throw new TypeError("a bug of this backend's");
    if (command === "die") process.kill(process.pid, "SIGKILL");
    session.count++;
    const write = { kind: "write" as const, handle, acknowledges: [number], state: Buffer.from(`${session.count}`) };
    const answer = (line: string) => ({ ...write, bytes: Buffer.from(`${line}\n`) });
    switch (command) {
      case "join":
        return [{ ...answer("joined"), join: argument }];
      case "say":
        return [write, { kind: "broadcast", group: argument, bytes: Buffer.from(`${rest}\n`) }];
      case "bye":
        return [{ ...answer("goodbye"), close: "asked for it" }];
      case "big":
        return [answer("x".repeat(Number(argument)))];
      case "who":
        return [answer(JSON.stringify({ ...session.open, state: undefined }))];
      default:
        return [answer(`${text.toUpperCase()}#${session.count}`)];
    }
  }
}
