// The lock files decide whether `npm ci` works on a machine that we have never seen.

import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";

interface Entry {
  readonly version?: string;
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const packagesOf = (file: string): Readonly<Record<string, Entry>> =>
  JSON.parse(readFileSync(new URL(`../../../${file}`, import.meta.url), "utf8")).packages;

const files = ["package-lock.json", "bench/package-lock.json"];

test.each(files)("%s names no registry's host (npm run lock)", (file) => {
  const entries = Object.entries(packagesOf(file));
  expect(entries.filter(([, { resolved }]) => resolved !== undefined).map(([path]) => path)).toEqual([]);
});

test.each(files)("%s has an entry for every platform's build, or npm ci refuses it (npm run lock)", (file) => {
  const packages = packagesOf(file);
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !packages[`node_modules/${name}`]?.version && !packages[`${path}/node_modules/${name}`]?.version,
    ),
  );
  expect(missing).toEqual([]);
});
