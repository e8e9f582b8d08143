// browser: a real Chromium without a window (Debian's package `chromium`, which bin/setup brings for the tests).
//
//   const page = await openPage(await startBrowser("file"), { viewport: { width: 390, height: 844 } });

import { existsSync } from "node:fs";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { atEnd, type Keep } from "./cleanup.js";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export async function startBrowser(keep?: Keep): Promise<Browser> {
  const executablePath = PLACES.find((place) => existsSync(place));
  if (executablePath === undefined) throw new Error("no Chromium here: apt-get install chromium (bin/setup does)");
  // Tests may run as root, where Chromium's sandbox does not work; it only ever sees our own page.
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
  atEnd(() => browser.close(), keep);
  return browser;
}

/** A page of a browser of its own profile, and what went wrong in it. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}) {
  const context = await browser.newContext({ reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  const hosts = new Set<string>();
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => hosts.add(new URL(request.url()).host));
  return { page, context, complaints, hosts };
}

/** How far the page is wider than the window. */
export const overflow = (page: Page): Promise<number> =>
  page.evaluate("document.documentElement.scrollWidth - window.innerWidth");
