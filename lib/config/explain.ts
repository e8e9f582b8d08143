// From a schema's complaints to sentences: where, which key, what was found, what is accepted.
//
//   headframe.toml: jobmanager.daemons[0].timeoutMs: found "soon"; expected number. A call that takes longer ...

import type { z } from "zod";
import { isSecretName, MASK, maskSecrets } from "../core/secrets.js";
import { issueText } from "./issues.js";
import { nearest } from "./nearest.js";
import { keysAt, schemaAt } from "./schema.js";
import type { Origins, Tree } from "./tree.js";

export interface Explained {
  readonly schema: z.ZodType;
  readonly tree: Tree;
  readonly origins: Origins;
  readonly file: string | undefined;
}

const FOUND_CHARACTERS_MAX = 60;

type Issue = z.core.$ZodIssue;

/** One line an issue. */
export function explainIssues(issues: readonly Issue[], context: Explained): string[] {
  return issues.flatMap((issue) =>
    issue.code === "invalid_union" ? explainUnion(issue, context) : explain(issue, context),
  );
}

/** Of the alternatives, the one that fits best tells what is wrong. */
function explainUnion(issue: Extract<Issue, { code: "invalid_union" }>, context: Explained): string[] {
  const nearest = [...issue.errors].sort((a, b) => depth(b) - depth(a))[0];
  if (!nearest || nearest.length === 0 || depth(nearest) === 0) return explain(issue, context);
  return explainIssues(
    nearest.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] }) as Issue),
    context,
  );
}

const depth = (issues: readonly Issue[]): number => Math.max(0, ...issues.map((issue) => issue.path.length));

function explain(issue: Issue, context: Explained): string[] {
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(key, issue.path, context));
  const place = where(issue.path, context);
  const found = lookUp(context.tree, issue.path);
  const about = schemaAt(context.schema, issue.path)?.description;
  return [`${place}: found ${show(found, issue.path)}; ${issueText(issue)}${about ? `. ${about}` : ""}`];
}

function unknownKey(key: string, path: readonly PropertyKey[], context: Explained): string {
  const known = keysAt(context.schema, path);
  const near = nearest(key, known);
  const hint = near ? `did you mean ${near}?` : `known here: ${known.join(", ") || "nothing"}`;
  return `${where([...path, key], context)}: unknown key; ${hint}`;
}

function where(path: readonly PropertyKey[], { origins, file }: Explained): string {
  const key = path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
    .join("")
    .replace(/^\./, "");
  const dotted = path.join(".");
  const origin = [...origins].find(([name]) => dotted === name || dotted.startsWith(`${name}.`))?.[1];
  return `${origin ?? file ?? "configuration"}: ${key || "(top level)"}`;
}

function lookUp(tree: unknown, path: readonly PropertyKey[]): unknown {
  let at = tree;
  for (const part of path)
    at = typeof at === "object" && at !== null ? (at as Record<PropertyKey, unknown>)[part] : undefined;
  return at;
}

function show(found: unknown, path: readonly PropertyKey[]): string {
  if (found === undefined) return "nothing";
  if (path.some((part) => isSecretName(String(part)))) return secretOf(found);
  const text = JSON.stringify(maskSecrets(found)) ?? String(found);
  return text.length > FOUND_CHARACTERS_MAX ? `${text.slice(0, FOUND_CHARACTERS_MAX)}...` : text;
}

/** Its type only, which is what is wrong most often: a password of digits without quotes is a number. */
function secretOf(found: unknown): string {
  const type = Array.isArray(found) ? "list" : typeof found;
  return type === "string" ? MASK : `a ${type} that is not shown here (text needs quotes)`;
}
