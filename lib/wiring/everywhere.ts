// everywhere: what every instance answers beside its own service's methods, whatever service it is.
//
//   headframe log-level INSTANCE debug --client(everywhere(service))--> any instance --> its process' log
//
// The methods are not part of the services' contracts: nobody has to host them, nobody can forget to.

import { z } from "zod";
import { defineContract, type MethodSpec, method } from "./contract.js";
import type { Log } from "./house.js";
import { LOG_LEVELS } from "./house-settings.js";
import type { CallContext } from "./nexus/nexus.js";

export const logLevel = z.enum(LOG_LEVELS);
export type LogLevel = z.output<typeof logLevel>;

/** A level for longer than a day belongs into the configuration. */
const SECONDS_MAX = 86_400;

const methods = {
  /** Of the whole process, so of all services in it. Without `level` it only tells. */
  logLevel: method({
    request: z.object({
      level: logLevel.optional(),
      /** Then it is again what it was configured to be. */
      seconds: z.number().positive().max(SECONDS_MAX).optional(),
    }),
    reply: z.object({ level: logLevel, configured: logLevel }),
    idempotent: true,
  }),
};

/** The contract by which any instance of `service` is asked for them. */
export const everywhere = <const Name extends string>(service: Name) =>
  defineContract({ service, methods, pushes: {} });

/** A method of every service that a process hosts. */
export interface CommonMethod {
  readonly name: string;
  readonly spec: MethodSpec;
  readonly handler: (request: unknown, context: CallContext) => unknown;
}

/** Answers them for one process. `close` ends a temporary level's timer. */
export class CommonMethods {
  readonly #log: Log;
  readonly #configured: LogLevel;
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Log) {
    this.#log = log;
    this.#configured = logLevel.parse(log.level);
  }

  all(): readonly CommonMethod[] {
    const handler = (request: unknown) => this.#setLevel(methods.logLevel.request.parse(request));
    return [{ name: "logLevel", spec: methods.logLevel, handler }];
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #setLevel({ level, seconds }: z.output<typeof methods.logLevel.request>) {
    if (level !== undefined) {
      clearTimeout(this.#timer);
      this.#log.level = level;
      this.#log.info({ level, seconds }, "log level changed");
      if (seconds !== undefined) this.#timer = setTimeout(() => this.#restore(), seconds * 1_000).unref();
    }
    return { level: logLevel.parse(this.#log.level), configured: this.#configured };
  }

  #restore(): void {
    this.#log.level = this.#configured;
    this.#log.info({ level: this.#configured }, "log level is as configured again");
  }
}
