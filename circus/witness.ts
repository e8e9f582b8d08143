// The witness: a module that circus.ini names, which knows of this house's processes what a manager of processes cannot.
//
//   [circus] witness = FILE --> openWitness(env) --> ready(watcher, pid, ...): it serves | died(death): tell the others
//
// A real Circus ignores the option; so do watchers without `ready = true`. The module runs with the manager's rights, as the
// commands of the file do.

import { pathToFileURL } from "node:url";
import type { Death, Readiness } from "./crew.js";
import { CircusError, reasonOf } from "./errors.js";

export interface CircusWitness {
  /** Asked for watchers with `ready = true`. */
  readonly ready: Readiness;
  /** Told of every process that has ended. */
  died(death: Death): Promise<void>;
  /** After the last process is gone. */
  close(): Promise<void>;
}

type Open = (env: Readonly<Record<string, string | undefined>>) => Promise<CircusWitness>;

/** @throws {CircusError} BAD_OPTION when the module cannot be loaded, is none, or refuses what it was given. */
export async function loadWitness(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<CircusWitness> {
  try {
    const module = (await import(pathToFileURL(file).href)) as { readonly openWitness?: Open };
    if (typeof module.openWitness !== "function") throw new Error("it exports no function openWitness(env)");
    return await module.openWitness(env);
  } catch (error) {
    throw new CircusError("BAD_OPTION", `[circus], witness: ${file}: ${reasonOf(error)}`, { cause: error });
  }
}
