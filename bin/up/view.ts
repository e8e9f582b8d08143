// What the live screen shows, as plain data: collected by watch.ts, drawn by screen.ts.

export interface View {
  readonly now: number;
  /** Milliseconds since all was up. */
  readonly elapsedMs: number;
  /** Where a miner may connect, `stratum+tcp://127.0.0.1:3333`, and a browser, `http://127.0.0.1:3380/`. */
  readonly addresses: readonly string[];
  readonly runDirectory: string;
  /** False: a service of one's own behind the edge; nothing is mined. */
  readonly mining: boolean;
  readonly daemons: readonly { name: string; state: string; height?: number; tipSource?: string; reason?: string }[];
  readonly job?: { readonly id: string; readonly height: number; readonly templateAt: number } | undefined;
  readonly pool?:
    | {
        readonly hashrate1m: number;
        readonly accepted: number;
        readonly rejected: number;
        readonly recorded: number;
        readonly workersActive: number;
        readonly blocks: number;
        readonly round: number;
      }
    | undefined;
  readonly clients: { readonly connections: number; readonly disconnects: number };
  readonly processes: readonly ProcessRow[];
  readonly blocks: readonly { height: number; hash: string; worker: string; status: string; foundAt: number }[];
  /** Newest last. */
  readonly events: readonly { at: number; text: string; mood: Mood }[];
}

export interface ProcessRow {
  readonly name: string;
  readonly pid?: number | undefined;
  readonly state: string;
  readonly ageMs: number;
  readonly restarts: number;
  readonly note: string;
}

export type Mood = "plain" | "good" | "bad" | "block";
