// The written reference is made from the code and must not fall behind it.

import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { documents } from "../../bin/write-docs.js";

test.each(Object.entries(await documents()))(
  "docs/%s says what the code says (npm run docs writes it)",
  (file, text) => {
    expect(readFileSync(new URL(`../../../docs/${file}`, import.meta.url), "utf8")).toBe(text);
  },
);
