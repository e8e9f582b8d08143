// talk: a chat by lines whose clients stay connected, and miss nothing, while its instances are killed and replaced.
//
//   client <--> HAProxy <--> keeper <--> edge --events--> talk x N --append--> the log in Redis
//                                        edge <---out---- talk x N <--range--/      ^ "grown" (push): look there
//
//   headframe up --config examples/line-server/headframe.toml --circus examples/line-server/circus.ini
//
//   T1. A line is acknowledged when what it said stands in the log, where it stands once: a line that comes again changes nothing.
//   T2. How far a client has read travels in the same write as what it reads, as state. Whoever serves it next goes on exactly there.

import { type ClientEvent, type LineBackendContract, lineBackend, type Out } from "headframe/contracts";
import { defineContract, type Hosted, type OpenService, type PeerId, push } from "headframe/wiring";
import { z } from "zod";
import { comesAfter, Log, type Page } from "./log.js";
import { greet, type Session, stateOf, understand, wake } from "./session.js";

export const name = "talk";

/** For `headframe call talk status --contract dist/examples/line-server/talk.js`. */
export const contract = lineBackend(name);

/** `[own.talk]` in the configuration. */
export const settings = z.strictObject({
  pollMs: z.number().int().min(50).max(60_000).default(500).describe("How often the log is looked at unasked."),
  kept: z.number().int().min(100).max(1_000_000).default(10_000).describe("Lines that the log keeps, about."),
});
export type Settings = z.output<typeof settings>;

/** Between instances: the log has grown. A hint, so a lost one costs at most `pollMs`. */
export const growth = defineContract({ service: "talk-log", methods: {}, pushes: { grown: push(z.object({})) } });

const RETRY_MS = 200;

export class Talk {
  hosted: Hosted<LineBackendContract> | undefined;
  readonly #sessions = new Map<string, Session>();
  #reading = false;
  #readAgain = false;

  constructor(
    private readonly log: Pick<Log, "end" | "append" | "since">,
    private readonly tellOthers: () => void,
    private readonly trouble: (error: unknown) => void,
  ) {}

  get connections(): number {
    return this.#sessions.size;
  }

  hear(edge: PeerId, events: readonly ClientEvent[]): void {
    for (const event of events) {
      const key = `${edge}/${event.handle}`;
      if (event.kind === "open") {
        const session = event.state ? wake(event, edge) : greet(event, edge, this.log.end);
        this.#sessions.set(key, session);
        // T2: the edge has the state of a new client from its first moment on.
        if (!event.state)
          this.#say(session, { bytes: lines(`* hello, you are ${session.name}; say /name, /room or /bye`) });
      } else if (event.kind === "close") this.#sessions.delete(key);
      else {
        const session = this.#sessions.get(key);
        if (session) this.#line(session, event.number, Buffer.from(event.bytes).toString());
      }
    }
    this.read(); // Who came from another instance may have something to catch up with.
  }

  edgeGone(edge: PeerId): void {
    for (const [key, session] of this.#sessions) if (session.edge === edge) this.#sessions.delete(key);
  }

  /** Everything that was said is in the log and acknowledged. */
  async idle(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map(({ last }) => last));
  }

  /** Looks into the log, and tells everybody what is new to them. One look at a time; what is asked meanwhile is one more. */
  read(): void {
    this.#readAgain = true;
    if (!this.#reading) void this.#read();
  }

  async #read(): Promise<void> {
    this.#reading = true;
    while (this.#readAgain) {
      this.#readAgain = false;
      const from = [...this.#sessions.values()].reduce(
        (least, { after }) => (comesAfter(least, after) ? after : least),
        this.log.end,
      );
      for await (const page of this.log.since(from)) {
        for (const session of this.#sessions.values()) this.#tell(session, page);
      }
    }
    this.#reading = false;
  }

  #tell(session: Session, { after, entries }: Page): void {
    // It came during this look, and misses what is before the page: the next look, asked for when it came, begins where it is.
    if (comesAfter(after, session.after)) return;
    const news = entries.filter(({ id }) => comesAfter(id, session.after));
    const last = news.at(-1);
    if (!last) return;
    session.after = last.id;
    const heard = news.filter(({ room }) => room === session.room).map(({ text }) => text);
    if (heard.length > 0) this.#say(session, { bytes: lines(...heard) }); // T2
  }

  #line(session: Session, number: LineNumber, text: string): void {
    const meaning = understand(session, text);
    if (meaning.kind === "said") {
      const { room } = session;
      // In order, one after the other: the log remembers a connection's newest line only.
      session.last = session.last.then(() => this.#append(session, number, room, meaning.text));
      return;
    }
    const { answer, close } = meaning;
    this.#say(session, { acknowledges: [number], bytes: lines(answer), ...(close && { close: "said /bye" }) });
  }

  /** T1. Until Redis has it, or the client is another instance's. */
  async #append(session: Session, number: LineNumber, room: string, text: string): Promise<void> {
    while (this.#sessions.get(session.key) === session) {
      try {
        await this.log.append(session.connection, number, { room, text });
        this.#say(session, { acknowledges: [number] });
        this.tellOthers();
        return;
      } catch (error) {
        this.trouble(error); // The edge keeps the line, and its client, until Redis is back.
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  /** Not taken by the edge: it sees the gap, asks everything again, and gets it by T1 and T2. */
  #say(session: Session, write: Omit<Extract<Out, { kind: "write" }>, "kind" | "handle">): void {
    const out = { kind: "write" as const, handle: session.handle, state: stateOf(session), ...write };
    this.hosted?.pushTo(session.edge, "out", { outs: [out] });
  }
}

type LineNumber = Extract<ClientEvent, { kind: "line" }>["number"];

const lines = (...texts: readonly string[]): Uint8Array => Buffer.from(texts.map((text) => `${text}\n`).join(""));

export const open: OpenService<Settings> = async (house, { pollMs, kept }) => {
  const log = await Log.open(house, kept);
  const told = await house.nexus.host(growth, {});
  const others = house.nexus.client(growth);
  const trouble = (error: unknown) => house.log.warn({ err: error }, "what was said waits: the log takes nothing");
  const talk = new Talk(log, () => told.push("grown", {}), trouble); // We hear of the growth, too.
  const hosted = await house.nexus.host(
    contract,
    {
      events: ({ events }, { caller }) => {
        talk.hear(caller, events);
        return {};
      },
      status: () => ({ connections: talk.connections, counters: {} }),
    },
    { announce: false, onPeerGone: (edge) => talk.edgeGone(edge) },
  );
  talk.hosted = hosted;
  others.subscribe("grown", { onMessage: () => talk.read() });
  const polling = setInterval(() => talk.read(), pollMs);
  await hosted.announce();
  return {
    async drain(timeoutMs) {
      await hosted.drain(timeoutMs); // Edges give new lines to others from here on.
      await talk.idle();
    },
    async close() {
      clearInterval(polling);
      await hosted.close();
      await told.close();
      await others.close();
    },
  };
};
