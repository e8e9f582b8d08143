// In: the files of the page, read once at the start. Only these are served: no path of a request ever reaches the disk.
//
//   services/dashboard/page/*      ours, as written
//   preact, htm, uplot             from node_modules: the page loads nothing from anywhere else
//
// Compiled, this module is dist/services/dashboard/in-page.js; the page's own files stay in the source tree.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const PAGE = fileURLToPath(new URL("../../../services/dashboard/page/", import.meta.url));
const FILES = [
  ...[
    "style.css",
    "icon.svg",
    "theme.js",
    "main.js",
    "html.js",
    "format.js",
    "live.js",
    "api.js",
    "figures.js",
    "house.js",
  ],
  ...["plots.js", "tables.js", "actions.js", "dialog.js"],
];
/** As the page asks for it -> package, file in it. */
const VENDORED: Readonly<Record<string, readonly [string, string]>> = {
  "vendor/preact.mjs": ["preact", "dist/preact.mjs"],
  "vendor/hooks.mjs": ["preact", "hooks/dist/hooks.mjs"],
  "vendor/htm.mjs": ["htm", "dist/htm.mjs"],
  "vendor/uplot.mjs": ["uplot", "dist/uPlot.esm.js"],
  "vendor/uplot.css": ["uplot", "dist/uPlot.min.css"],
};
const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

export interface PageFile {
  readonly bytes: Buffer;
  readonly type: string;
  readonly etag: string;
}

export interface Page {
  /** By path, `/style.css`; the page itself is `/`. */
  readonly files: ReadonlyMap<string, PageFile>;
  /** What the page may do: nothing from elsewhere, no inline script but the import map (by its hash), no inline style. */
  readonly policy: string;
}

/** @throws {Error} when a file is missing: the installation is not whole. */
export async function readPage(): Promise<Page> {
  const require = createRequire(import.meta.url);
  const files = new Map<string, PageFile>();
  const index = await readFile(join(PAGE, "index.html"));
  files.set("/", pageFile(index, ".html"));
  for (const name of FILES) files.set(`/${name}`, pageFile(await readFile(join(PAGE, name)), extname(name)));
  for (const [name, [module, file]] of Object.entries(VENDORED)) {
    const path = join(rootOf(require, module), file);
    files.set(`/${name}`, pageFile(await readFile(path), extname(name)));
  }
  return { files, policy: policyOf(index.toString("utf8")) };
}

function pageFile(bytes: Buffer, extension: string): PageFile {
  const hash = createHash("sha256").update(bytes).digest("base64url").slice(0, 22);
  return { bytes, type: TYPES[extension] ?? "application/octet-stream", etag: `"${hash}"` };
}

/** The folder of an installed package. */
function rootOf(require: NodeJS.Require, module: string): string {
  let folder = dirname(require.resolve(module));
  while (!folder.endsWith(join("node_modules", module))) {
    const above = dirname(folder);
    if (above === folder) throw new Error(`the package ${module} is not where it was found`);
    folder = above;
  }
  return folder;
}

/** Import maps must stand in the page itself; its hash is what lets this one through. */
function policyOf(html: string): string {
  const [, map = ""] = /<script type="importmap">([\s\S]*?)<\/script>/.exec(html) ?? [];
  const hash = createHash("sha256").update(map).digest("base64");
  return [
    ...["default-src 'none'", `script-src 'self' 'sha256-${hash}'`, "style-src 'self'", "img-src 'self'"],
    ...["connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
    ...["require-trusted-types-for 'script'", "trusted-types 'none'"],
  ].join("; ");
}
