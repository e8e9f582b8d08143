// In: the token that swap and drain need, in a file that only its owner can read.

import { randomBytes } from "node:crypto";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";

const TOKEN_BYTES = 24;
const TOKEN_SHAPE = /^[\w-]{16,256}$/;

export interface Token {
  readonly file: string;
  readonly token: string;
}

/**
 * The token of the file, made when there is none: it outlives restarts, so that a page that knows it goes on.
 *
 * @throws {Error} when others can read the file, or what stands in it is no token.
 */
export async function openToken(path: string): Promise<Token> {
  const file = resolve(path);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const made = randomBytes(TOKEN_BYTES).toString("base64url");
  try {
    await writeFile(file, `${made}\n`, { mode: 0o600, flag: "wx" });
    return { file, token: made };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const { mode } = await stat(file);
  if ((mode & 0o077) !== 0) throw new Error(`${file}: others can read the dashboard's token: chmod 600 ${file}`);
  const token = (await readFile(file, "utf8")).trim();
  if (!TOKEN_SHAPE.test(token)) {
    throw new Error(`${file}: expected 16 to 256 of A-Z a-z 0-9 _ -; delete the file for a fresh token`);
  }
  return { file, token };
}
