// Live: what changed, to every browser that follows, as server-sent events. Pure: a viewer is a way to write and a way to end.
//
//   sections of the whole (house, pool, blocks ...) --changed?--> event        what happens --> event, at once
//
//   L1. A viewer that comes gets every section as it stands; afterwards a section is sent when it is another one.
//   L2. A viewer that does not read is let go (its browser comes back by itself); nobody else waits for it.
//   L3. At most VIEWERS_MAX at a time.

import { publicly } from "./public.js";

export const VIEWERS_MAX = 64;
/** Unsent bytes of one viewer: some minutes of everything. */
const WAITING_BYTES_MAX = 1 << 20;

export interface Viewer {
  /** Takes it, or keeps it for later; see `waitingBytes`. */
  write(text: string): void;
  readonly waitingBytes: number;
  end(): void;
}

export class Live {
  readonly #viewers = new Set<Viewer>();
  readonly #sections = new Map<string, string>();

  constructor(
    private readonly options: {
      /** What a viewer that comes is told besides the sections: name -> content. */
      greeting(): Readonly<Record<string, unknown>>;
      viewers(count: number): void;
      slow(): void;
    },
  ) {}

  get viewers(): number {
    return this.#viewers.size;
  }

  /** False: there are too many (L3). */
  join(viewer: Viewer): boolean {
    if (this.#viewers.size >= VIEWERS_MAX) return false;
    this.#viewers.add(viewer);
    for (const [name, content] of Object.entries(this.options.greeting())) viewer.write(event(name, content));
    for (const text of this.#sections.values()) viewer.write(text); // L1
    this.options.viewers(this.#viewers.size);
    return true;
  }

  leave(viewer: Viewer): void {
    if (this.#viewers.delete(viewer)) this.options.viewers(this.#viewers.size);
  }

  /** The section as it stands now. */
  section(name: string, content: unknown): void {
    const text = event(name, content);
    if (this.#sections.get(name) === text) return;
    this.#sections.set(name, text);
    this.#send(text);
  }

  /** Something that happened: only who watches now is told. */
  tell(name: string, content: unknown): void {
    this.#send(event(name, content));
  }

  /** Keeps proxies and browsers from thinking that nobody is there. */
  beat(): void {
    this.#send(": beat\n\n");
  }

  close(): void {
    for (const viewer of this.#viewers) viewer.end();
    this.#viewers.clear();
  }

  #send(text: string): void {
    for (const viewer of this.#viewers) {
      viewer.write(text);
      if (viewer.waitingBytes <= WAITING_BYTES_MAX) continue;
      viewer.end(); // L2
      this.leave(viewer);
      this.options.slow();
    }
  }
}

/** One event; JSON has no newlines, so it is one data line. A browser's stream carries no token: it is for everybody. */
const event = (name: string, content: unknown): string =>
  `event: ${name}\ndata: ${JSON.stringify(content, publicly)}\n\n`;
