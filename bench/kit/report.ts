// What a benchmark found, as data: main.ts shows it, results.ts writes it down.

/** One line of the table. Times in microseconds. */
export interface Row {
  readonly what: string;
  readonly n: number;
  readonly p50?: number;
  readonly p99?: number;
  readonly p999?: number;
  /** Operations a second. */
  readonly rate?: number;
  /** Of all processes that took part, an operation. */
  readonly cpuUs?: number;
  /** Resident, of all processes that took part. */
  readonly memoryMb?: number;
  /** To the reference, measured in the same run; see `to`. */
  readonly ratio?: number;
  readonly to?: string;
}

/** A promise in figures, and whether this run kept it. */
export interface Floor {
  readonly what: string;
  readonly sense: "at least" | "at most";
  readonly limit: number;
  readonly found: number;
  /** `x raw`, `us`, `shares/s` */
  readonly unit: string;
  /** Where the time goes, measured by a profile of this run; for a floor that is missed. */
  readonly profile?: string;
}

export const met = ({ sense, limit, found }: Floor): boolean =>
  sense === "at least" ? found >= limit : found <= limit;

export interface Line {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Plot {
  /** Of the file. */
  readonly name: string;
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly lines: readonly Line[];
}

export interface Report {
  readonly name: string;
  readonly title: string;
  readonly rows: readonly Row[];
  readonly floors: readonly Floor[];
  readonly plots: readonly Plot[];
  readonly notes: readonly string[];
}

export interface RunOptions {
  /** Rounds each contender is measured; medians count. */
  readonly rounds: number;
  /** How long a round lasts. */
  readonly ms: number;
  /** Which contenders; default all that are installed. */
  readonly only?: readonly string[] | undefined;
  /** Clients, connections, instances: as a part of the full number. 1: the full benchmark. */
  readonly scale: number;
  readonly signal: AbortSignal;
  tell(text: string): void;
}

export type Benchmark = (options: RunOptions) => Promise<Report>;

export const percent = (part: number): string => `${Math.round(100 * part)} %`;
