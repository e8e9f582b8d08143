// A module of yours, loaded by its path.

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { messageOf } from "../lib/thrown.js";
import { UsageError } from "./failure.js";

/**
 * What it exports.
 *
 * @param file Relative to the working directory.
 * @throws {UsageError} when it cannot be loaded.
 */
export async function loadModule(file: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return { ...((await import(pathToFileURL(resolve(file)).href)) as object) };
  } catch (error) {
    throw new UsageError(`${file} cannot be loaded: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
