// The secret's file: one for all, private, and whole.

import { execFile } from "node:child_process";
import { chmod, chown, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeEach, expect, test } from "@jest/globals";
import { defaultSecretFile, openSecret, SECRET_BYTES } from "../../../lib/wiring/index.js";
import { atEnd } from "../../kit/cleanup.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hf-secret-"));
  atEnd(() => rm(folder, { recursive: true, force: true }));
});

test("the first process makes the secret, in a folder and a file of its user alone, and the next one reads it", async () => {
  const file = join(folder, "state", "wiring.secret");
  const made = openSecret(file);
  expect(made).toHaveLength(SECRET_BYTES);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(join(folder, "state"))).mode & 0o777).toBe(0o700);
  expect(openSecret(file)).toEqual(made);
  expect((await readFile(file, "utf8")).trim()).toBe(made.toString("hex"));
  expect(openSecret(join(folder, "other"))).not.toEqual(made);
});

test("a secret that root makes belongs to the folder's owner, whose services could not read it otherwise", async () => {
  const [root, nobody] = [process.getuid?.() === 0, 65_534];
  if (root) await chown(folder, nobody, nobody);
  openSecret(join(folder, "wiring.secret"));
  const { uid, mode } = await stat(join(folder, "wiring.secret"));
  expect([uid, mode & 0o777]).toEqual([root ? nobody : process.getuid?.(), 0o600]);
});

test("processes that start at the same moment agree on one secret, and leave nothing beside it", async () => {
  const file = join(folder, "wiring.secret");
  const module = new URL("../../../lib/wiring/secret-file.js", import.meta.url).href;
  const code = `const { openSecret } = await import(${JSON.stringify(module)});
    await new Promise((go) => setTimeout(go, Number(process.argv[1]) - Date.now()));
    console.log(openSecret(${JSON.stringify(file)}).toString("hex"));`;
  const at = String(Date.now() + 1_500);
  const all = await Promise.all(
    Array.from({ length: 6 }, () => promisify(execFile)(process.execPath, ["--input-type=module", "-e", code, at])),
  );
  expect(new Set(all.map(({ stdout }) => stdout.trim()))).toEqual(new Set([openSecret(file).toString("hex")]));
  expect(await readdir(folder)).toEqual(["wiring.secret"]);
}, 30_000);

test("a secret that others may read, that is cut off, or that cannot be made is refused with what to do", async () => {
  const file = join(folder, "wiring.secret");
  const secret = openSecret(file).toString("hex");
  for (const mode of [0o640, 0o604, 0o620, 0o602]) {
    await chmod(file, mode);
    expect(() => openSecret(file)).toThrow("chmod 600");
  }
  await chmod(file, 0o600);
  for (const text of ["", secret.slice(1), `${secret}00`, "x".repeat(64), "a".repeat(10_000)]) {
    await writeFile(file, text);
    expect(() => openSecret(file)).toThrow("holds no secret");
  }
  await writeFile(file, secret.slice(1));
  try {
    openSecret(file);
  } catch (error) {
    expect(String(error)).not.toContain(secret.slice(1, 20));
  }
  await writeFile(join(folder, "no-folder"), "");
  expect(() => openSecret(join(folder, "no-folder", "wiring.secret"))).toThrow("wiring.secretFile");
  await symlink(join(folder, "nowhere"), join(folder, "dangling"));
  expect(() => openSecret(join(folder, "dangling"))).toThrow("wiring.secretFile");
});

test("without a setting it lies in the user's state folder, unless the system's own is this user's", () => {
  const file = defaultSecretFile({ XDG_STATE_HOME: "/state" });
  expect(["/state/headframe/wiring.secret", "/var/lib/headframe/wiring.secret"]).toContain(file);
  expect(defaultSecretFile({ XDG_STATE_HOME: "relative" })).not.toContain("relative");
});
