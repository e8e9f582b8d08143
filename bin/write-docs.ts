// npm run docs: writes the parts of docs/ that the code knows better than anybody: the table of metrics, the table of
// settings, the help of every command.
// A test compares them, so they cannot fall behind.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { prometheusName } from "../lib/wiring/index.js";
import { configSchema } from "./config.js";
import { METRIC_TABLES } from "./metrics.js";
import { ROOT } from "./paths.js";
import { commandLine } from "./write-cli-docs.js";

/** File below docs/ -> its content. */
export const documents = async (): Promise<Readonly<Record<string, string>>> => ({
  "metrics.md": metrics(),
  "configuration.md": configuration(),
  "cli.md": await commandLine(NOTE),
});

const NOTE = "<!-- Written by `npm run docs` from the code. -->\n";

function metrics(): string {
  const intro = [
    "# Metrics",
    NOTE,
    "Each process sends its metrics to statsd when `[statsd]` is configured, with `statsd.prefix` and, as DogStatsD tags, `cluster`",
    "and `statsd.tags`. The tests check the names against these tables.",
    "",
    "Each process also serves `GET /metrics` in Prometheus' format, on the port that `headframe ps` shows as `http`. The",
    "dashboard lists all of them at `/api/targets` for Prometheus' `http_sd_configs`. Counts end in `_total`; timings are histograms in",
    "seconds. Node's own process metrics are included (`headframe_process_*`, `headframe_nodejs_*`).",
  ];
  const sections = Object.entries(METRIC_TABLES).flatMap(([title, table]) => [
    `\n## ${title}\n`,
    "| name | kind | unit | tags | meaning | in Prometheus |",
    "| --- | --- | --- | --- | --- | --- |",
    ...Object.entries(table).map(
      ([name, { kind, unit, tags, meaning }]) =>
        `| \`${name}\` | ${kind} | ${unit} | ${tags.join(", ")} | ${cell(meaning)} | \`${prometheusName(name, kind)}\` |`,
    ),
  ]);
  return `${[...intro, ...sections].join("\n")}\n`;
}

interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly anyOf?: readonly JsonSchema[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
}

function configuration(): string {
  const schema = z.toJSONSchema(configSchema, { io: "input", unrepresentable: "any", reused: "inline" }) as JsonSchema;
  const rows = Object.entries(schema.properties ?? {}).flatMap(([name, property]) => describe(name, property));
  const intro = [
    "# Configuration",
    NOTE,
    "The configuration is one TOML file. The environment (`redis.url` is `HEADFRAME__REDIS__URL`) overrides each key, and so does",
    "`--set redis.url=...`. `[]` stands for each entry of a list, `*` for a name of your choice.",
    "",
    "| key | accepts | default | meaning |",
    "| --- | --- | --- | --- |",
  ];
  return `${[...intro, ...rows].join("\n")}\n`;
}

function describe(path: string, schema: JsonSchema): string[] {
  const tables = [schema, ...(schema.anyOf ?? [])].flatMap((each) => inner(path, each));
  if (tables.length === 0) return [row(path, schema)];
  // `curve = true`, `coin = "litecoin"`: a value may stand in the table's place.
  const values = (schema.anyOf ?? []).filter((each) => inner(path, each).length === 0);
  return values.length === 0 ? tables : [row(path, { ...schema, anyOf: values }), ...tables];
}

function row(path: string, schema: JsonSchema): string {
  const fallback = schema.default === undefined ? "" : `\`${JSON.stringify(schema.default)}\``;
  return `| \`${path}\` | ${cell(accepts(schema))} | ${cell(fallback)} | ${cell(schema.description ?? "")} |`;
}

/** Rows of what a table or list of tables contains. */
function inner(path: string, { properties, items, additionalProperties }: JsonSchema): string[] {
  const named = Object.entries(properties ?? {}).flatMap(([name, property]) => describe(`${path}.${name}`, property));
  if (named.length > 0) return named;
  if (items?.properties || items?.anyOf) return describe(`${path}[]`, items);
  if (typeof additionalProperties === "object") return describe(`${path}.*`, additionalProperties);
  return [];
}

function accepts(schema: JsonSchema): string {
  if (schema.const === "") return "empty";
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.enum) return schema.enum.map((value) => `\`${String(value)}\``).join(", ");
  if (schema.anyOf) return [...new Set(schema.anyOf.map(accepts))].join(" or ");
  const bounds = [schema.minimum, schema.maximum].filter(
    (bound) => bound !== undefined && Math.abs(bound) < Number.MAX_SAFE_INTEGER,
  );
  return [schema.type ?? "", bounds.length === 2 ? bounds.join(" to ") : ""].filter(Boolean).join(", ");
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

if (import.meta.url === `file://${process.argv[1]}`) {
  for (const [file, text] of Object.entries(await documents())) writeFileSync(join(ROOT, "docs", file), text);
}
