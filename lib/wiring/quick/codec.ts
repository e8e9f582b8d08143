// Codec: a schema with the quick ways in and out that are made for it. One for each schema.
//
//   value --write--> bytes --read--> value        both only where they are certain; the library and the schema do the rest
//
// A schema is read and checked in one pass by code made for it (plan.ts, reader.ts): several times faster than decoding a value
// and giving it to the schema, which stays the judge of everything that the code is not sure of. The code is made when it
// is first needed: most methods of a contract are never called by a process.

import type { z } from "zod";
import { decodePayload } from "../rpc/payload.js";
import { knownWholly, type Plan, planOf } from "./plan.js";
import { type QuickRead, readerOf, UNSURE } from "./reader.js";
import { type QuickWrite, UNSHAPED, writerOf } from "./writer.js";

const unsure: QuickRead = () => UNSURE;
const unshaped: QuickWrite = () => UNSHAPED;

/** A getter or a Proxy in the value may throw. The library then meets it again, where its failure is expected. */
const careful =
  (write: QuickWrite): QuickWrite =>
  (value, bytes, start, end) => {
    try {
      return write(value, bytes, start, end);
    } catch {
      return UNSHAPED;
    }
  };

export class Codec {
  #plan: Plan | undefined;
  #read: QuickRead | undefined;
  #write: QuickWrite | undefined;
  #exact: boolean | undefined;

  constructor(readonly schema: z.ZodType) {}

  /** The value from `start` to `end`, valid; or UNSURE. */
  get read(): QuickRead {
    this.#read ??= readerOf(this.#planned(), decodePayload) ?? unsure;
    return this.#read;
  }

  /** Writes at `start`, not beyond `end`. @returns where it ended, or UNSHAPED, or CRAMPED. */
  get write(): QuickWrite {
    this.#write ??= careful(writerOf(this.#planned()) ?? unshaped);
    return this.#write;
  }

  /**
   * True: a value of the schema's type arrives as it was sent. False: parts of the schema (any, map, transform, date ...) are known to
   * nobody but itself, and what arrives may be another value, or none.
   */
  get exact(): boolean {
    this.#exact ??= knownWholly(this.#planned(), false);
    return this.#exact;
  }

  #planned(): Plan {
    this.#plan ??= planOf(this.schema);
    return this.#plan;
  }
}

const codecs = new WeakMap<z.ZodType, Codec>();

export function codecOf(schema: z.ZodType): Codec {
  const codec = codecs.get(schema) ?? new Codec(schema);
  codecs.set(schema, codec);
  return codec;
}
