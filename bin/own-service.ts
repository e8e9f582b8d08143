// Services of your own: `headframe run ./dist/my-service.js` runs a module as it runs the pool's services: house, signals, drain.
//
//   module { name, open, settings? } --> loadOwn --> [own.NAME] of the configuration, checked by `settings` --> open(house, settings)

import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { z } from "zod";
import { issueLines, loadConfig } from "../lib/config/index.js";
import { asError } from "../lib/thrown.js";
import type { House, OpenService, Running } from "../lib/wiring/index.js";
import { type ConfigOptions, configSchema, findConfig } from "./config.js";
import { UsageError } from "./failure.js";
import { loadModule } from "./own-module.js";

export interface OwnService {
  readonly name: string;
  /** What the module exports as such, else of the package it belongs to. */
  readonly version: string | undefined;
  open(house: House): Promise<Running>;
}

/** As discovery takes it. */
const VERSION_MAX = 64;
const packageShape = z.object({ version: z.string().min(1).max(VERSION_MAX) });

const moduleShape = z.object({
  /** What it is called in the configuration (`[own.NAME]`) and in the log. */
  name: z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, "expected a lower-case name of at most 32 letters, digits and -"),
  open: z.custom<OpenService<unknown>>((it) => typeof it === "function", "expected a function (house, settings)"),
  version: z.string().min(1).max(VERSION_MAX).optional(),
  settings: z.custom<z.ZodType>((it) => it instanceof z.ZodType, "expected a zod schema").optional(),
});

/** True: it is meant as a file, not as the name of one of the pool's services. */
export const isOwn = (service: string): boolean => /[./\\]/.test(service);

/**
 * @param file A module (.js), relative to the working directory.
 * @throws {UsageError} when it is no service; {ConfigError} when its settings are wrong.
 */
export async function loadOwn(file: string, options: ConfigOptions): Promise<OwnService> {
  const parsed = moduleShape.safeParse(await loadModule(file));
  if (!parsed.success) {
    throw new UsageError(
      `${file} is no service: it must export name, open and, if it has any, settings\n${issueLines(parsed.error.issues).join("\n")}`,
    );
  }
  const { name, open, settings, version = await packageVersionOf(file) } = parsed.data;
  const own = settings && readOwn(name, settings, options);
  return {
    name,
    version,
    open: async (house) => {
      try {
        return await open(house, own);
      } catch (error) {
        // Its author needs to know where; errors of ours say what to do instead.
        throw new Error(`${name}: open() failed\n${asError(error).stack}`, { cause: error });
      }
    },
  };
}

/** Of the nearest package.json above the module; undefined: there is none with a version. */
async function packageVersionOf(file: string): Promise<string | undefined> {
  for (let folder = dirname(resolve(file)); ; folder = dirname(folder)) {
    const text = await readFile(join(folder, "package.json"), "utf8").catch(() => undefined);
    const parsed = packageShape.safeParse(text && parseJson(text));
    if (parsed.success) return parsed.data.version;
    if (folder === dirname(folder)) return undefined;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @throws {ConfigError} which names file, key, what was found and what is accepted, as for every other setting. */
function readOwn(name: string, settings: z.ZodType, { config, set }: ConfigOptions): unknown {
  const own = z.looseObject({ [name]: settings.prefault({}) }).prefault({});
  const sources = { file: findConfig(config), environment: process.env, overrides: set };
  return loadConfig(configSchema.extend({ own }), sources).own[name];
}
