// The structure of the code base, checked: which folder may import which, no import circle, one meaning for each exported name, no
// retired word. `npm run check` runs it.
//
//   node check/structure.mjs            exit 1 and a line for each violation
//   node check/structure.mjs --allow    writes check/allow.json anew: for a violation that is to be removed later, never for a new one
//
// check/allow.json lists the violations of today. The list may only shrink: an entry that does not occur any more is an error, too.

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const ALLOW = join(ROOT, "check/allow.json");

/**
 * Layers by the beginning of a file's path, the longest that fits, and the layers that each may import. Itself is always among them;
 * services see each other through contracts only, so each service is a layer of its own.
 */
const LAYERS = {
  "lib/core/": [],
  "lib/thrown.ts": ["lib/core/"],
  "lib/duration.ts": ["lib/core/", "lib/thrown.ts"],
  "lib/process-mark.ts": ["lib/core/", "lib/thrown.ts"],
  "lib/log/": ["lib/core/", "lib/thrown.ts"],
  "lib/config/": ["lib/core/", "lib/thrown.ts"],
  "lib/wiring/": ["lib/core/", "lib/thrown.ts", "lib/duration.ts", "lib/process-mark.ts", "lib/log/"],
  "lib/contracts/": ["lib/core/", "lib/wiring/", "lib/duration.ts", "lib/process-mark.ts"],
};
const FOUNDATION = ["lib/core/", "lib/thrown.ts", "lib/duration.ts", "lib/process-mark.ts", "lib/log/"];
const LIBRARY = [...FOUNDATION, "lib/config/", "lib/wiring/", "lib/contracts/"];
const SERVICES = ["jobmanager", "stratum", "reporter", "edge", "keeper", "dashboard"].map(
  (name) => `services/${name}/`,
);
for (const service of SERVICES) LAYERS[service] = LIBRARY;
Object.assign(LAYERS, {
  "haproxy/": LIBRARY,
  "circus/": [...FOUNDATION, "lib/config/", "lib/wiring/"],
  "examples/": ["lib/wiring/", "lib/contracts/", ...FOUNDATION],
  "demo/": LIBRARY,
  "bin/": [...LIBRARY, ...SERVICES, "haproxy/", "circus/", "demo/"],
  "chaos/": "all",
  "fuzz/": "all",
  "bench/": "all",
  "mutants/": "all",
  "test/": "all",
});

/** Words of a vocabulary that readers had to learn, with the field's own. No exported name has one as a word. */
const RETIRED = {
  House: "Wiring (lib/wiring), topology (dashboard)",
  Desk: "StratumContext, PendingCalls",
  Doorman: "KeyAuthorizer",
  Restless: "PendingDifficulty",
  Conduct: "AbuseDetector",
  Offence: "Violation",
  Ride: "single flight",
  Passenger: "waiter",
  Courtesy: "StartupNiceness",
  Witness: "LifecycleHooks",
  Roll: "ClientTable",
  Ledger: "BlockPublisher, ShareStore, PidFile, Oracle",
  Heir: "Successor",
  Crew: "ProcessPool",
  Retirement: "MaxAge",
  Foreman: "JobScheduler",
  Tally: "Counters",
  Allotment: "IdBlocks",
  Tenure: "ownership with a fencing token",
  Crowd: "ConnectionSet",
  Figures: "ConnectionStats",
  Room: "LineBudget",
  Happenings: "ActivityFeed",
  Picture: "Topology",
  Mood: "severity",
  Felt: "ActiveFault",
  Toll: "FaultImpact",
  Stage: "Environment",
  Scene: "InjectorContext",
  Trouble: "OutageReporter",
  Neighbour: "Peer",
  Roster: "Members, EndpointSet",
  Grave: "tombstone",
};

/** What every service has by agreement. */
const AGREED = new Set(["open", "settings", "Settings", "metricTable", "MetricName"]);

const files = [...walk("")].filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"));
const sources = new Map(files.map((file) => [file, readFileSync(join(ROOT, file), "utf8")]));
const imports = new Map(files.map((file) => [file, importsOf(file)]));
const product = files.filter((file) => !/^(test|bench|chaos|fuzz|mutants)\//.test(file));

const found = {
  direction: wrongDirections(),
  circles: circles(),
  names: doubleNames(),
  retired: retiredWords(),
};

if (process.argv.includes("--allow")) {
  writeFileSync(ALLOW, `${JSON.stringify(found, null, 2)}\n`);
  process.exit(0);
}
const allowed = existsSync(ALLOW) ? JSON.parse(readFileSync(ALLOW, "utf8")) : {};
const complaints = Object.entries(found).flatMap(([rule, violations]) => {
  const known = new Set(allowed[rule] ?? []);
  return [
    ...violations.filter((it) => !known.has(it)).map((it) => `${rule}: ${it}`),
    ...[...known]
      .filter((it) => !violations.includes(it))
      .map((it) => `${rule}: no longer so, take it out of check/allow.json: ${it}`),
  ];
});
for (const complaint of complaints) console.error(complaint);
process.exit(complaints.length > 0 ? 1 : 0);

function* walk(folder) {
  for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
    if (/^(node_modules|dist|run|coverage|peers|\..*)$/.test(entry.name)) continue;
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) yield* walk(path);
    else yield path;
  }
}

function importsOf(file) {
  const text = sources.get(file) ?? "";
  const specifiers = [...text.matchAll(/(?:^|[\s;])(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map(([, path]) => path);
  const resolved = specifiers.map((path) => normalize(join(dirname(file), path)).replace(/\.js$/, ".ts"));
  return [...new Set(resolved)].filter((path) => sources.has(path));
}

function layerOf(file) {
  const fits = Object.keys(LAYERS).filter((layer) => file.startsWith(layer));
  return fits.sort((a, b) => b.length - a.length)[0];
}

function wrongDirections() {
  const wrong = [];
  for (const file of files) {
    const from = layerOf(file);
    if (from === undefined) wrong.push(`${file} is in no layer: name its folder in check/structure.mjs`);
    const may = from === undefined ? "all" : LAYERS[from];
    for (const target of imports.get(file) ?? []) {
      const to = layerOf(target);
      if (may !== "all" && to !== from && to !== undefined && !may.includes(to))
        wrong.push(`${file} imports ${target}`);
    }
  }
  return wrong.sort();
}

/** Strongly connected components of more than one file (Tarjan); type imports count. */
function circles() {
  const index = new Map();
  const low = new Map();
  const stack = [];
  const on = new Set();
  const components = [];
  const visit = (file) => {
    index.set(file, index.size);
    low.set(file, index.get(file));
    stack.push(file);
    on.add(file);
    for (const next of imports.get(file) ?? []) {
      if (!index.has(next)) {
        visit(next);
        low.set(file, Math.min(low.get(file), low.get(next)));
      } else if (on.has(next)) low.set(file, Math.min(low.get(file), index.get(next)));
    }
    if (low.get(file) !== index.get(file)) return;
    const component = [];
    for (let last; last !== file; ) {
      last = stack.pop();
      on.delete(last);
      component.push(last);
    }
    if (component.length > 1) components.push(component.sort().join(" <-> "));
  };
  for (const file of files) if (!index.has(file)) visit(file);
  return components.sort();
}

/** Names that a file declares and exports, not those that it passes on. */
function exportsOf(file) {
  const text = sources.get(file) ?? "";
  const declared =
    /^export (?:declare )?(?:abstract )?(?:async )?(?:const enum|const|let|function\*?|class|interface|type|enum) (\w+)/gm;
  return [...text.matchAll(declared)].map(([, name]) => name);
}

function doubleNames() {
  const where = new Map();
  for (const file of product)
    for (const name of new Set(exportsOf(file)))
      if (!AGREED.has(name)) where.set(name, [...(where.get(name) ?? []), file]);
  return [...where]
    .filter(([, at]) => at.length > 1)
    .map(([name, at]) => `${name}: ${at.sort().join(", ")}`)
    .sort();
}

function retiredWords() {
  const words = new RegExp(`(?:^|[a-z0-9])(${Object.keys(RETIRED).join("|")})(?![a-z])`);
  return product
    .flatMap((file) =>
      exportsOf(file).flatMap((name) => {
        const word = words.exec(name[0].toUpperCase() + name.slice(1))?.[1];
        return word === undefined ? [] : [`${name} in ${file}: ${word} -> ${RETIRED[word]}`];
      }),
    )
    .sort();
}
