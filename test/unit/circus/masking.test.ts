// What the manager answers holds no secret, whatever environment it was started in.

import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { maskText, maskVariables } from "../../../lib/core/secrets.js";
import { rawCall, startArbiter } from "../../kit/circus.js";

test("options and get hide secrets of the environment and of command lines, and show the rest", async () => {
  const { arbiter, pids } = await startArbiter(`
[watcher:web]
cmd = sh -c "sleep 1000; : --redis.password=hush1 redis://u:hush2@host:1/0"
copy_env = false
[env:web]
REDIS_URL = redis://:hush3@127.0.0.1:6379/0
API_TOKEN = hush4
RPC_PASSWORD = hush5
AWS_SECRET_ACCESS_KEY = hush6
LANG = C.UTF-8
KEYBOARD = de
`);
  const ask = (command: string, properties: object) =>
    rawCall(arbiter.config.endpoint, { id: 1, command, properties: { name: "web", ...properties } });
  const options = await ask("options", {});
  expect(options).toMatchObject({
    status: "ok",
    options: { env: { API_TOKEN: "***", LANG: "C.UTF-8", KEYBOARD: "de" } },
  });
  expect(options).toMatchObject({ options: { env: { REDIS_URL: "redis://:***@127.0.0.1:6379/0" } } });
  const all = [
    options,
    await ask("get", { keys: ["env", "cmd", "args"] }),
    await ask("stats", {}),
    await ask("list", {}),
  ];
  expect(JSON.stringify(all)).not.toContain("hush");
  expect(pids("web")).toHaveLength(1);
});

test("an environment that was read and is sent back with a change keeps the secrets that were not shown", async () => {
  const { arbiter } = await startArbiter(`
[watcher:web]
cmd = sh -c "echo redis://u:hush@h; sleep 1000"
[env:web]
API_TOKEN = hush
OTHER_TOKEN = hush
`);
  const ask = (command: string, properties: object) =>
    rawCall(arbiter.config.endpoint, { id: 1, command, properties: { name: "web", waiting: true, ...properties } });
  const before = (await ask("options", {}))?.options as { env: Record<string, string>; cmd: string };
  const options = { cmd: before.cmd, env: { ...before.env, OTHER_TOKEN: "new", MORE: "1" } };
  expect(await ask("set", { options })).toMatchObject({ status: "ok" });
  const { env, cmd } = arbiter.watcher("web")?.config ?? {};
  expect(env).toMatchObject({ API_TOKEN: "hush", OTHER_TOKEN: "new", MORE: "1" });
  expect(cmd).toContain("u:hush@h");
});

test("passwords in URLs are hidden whatever stands around them; a text without any stays as it is", () => {
  expect(maskText("rediss://:p:w@h/0 and mongodb+srv://u:p@h")).toBe("rediss://:***@h/0 and mongodb+srv://u:***@h");
  expect(maskText('x --token=abc Y_PASSWORD="a b" z')).toBe("x --token=*** Y_PASSWORD=*** z");
  for (const plain of [
    "redis://127.0.0.1:6379/0",
    "http://[::1]:80/a:b@c",
    "node dist/bin/headframe.js run edge",
    "a@b:c",
  ])
    expect(maskText(plain)).toBe(plain);
  const secret = fc.stringMatching(/^[A-Za-z0-9!$%^&*()_+.,:-]{6,20}$/);
  fc.assert(
    fc.property(
      secret,
      fc.constantFrom("PASSWORD", "db_password", "Secret", "GITHUB_TOKEN", "PRIVATE_KEY", "X_AUTH"),
      (value, name) => {
        expect(maskVariables({ [name]: value })).toEqual({ [name]: "***" });
        expect(maskText(`redis://user:${value}@host`)).toBe("redis://user:***@host");
      },
    ),
  );
});
