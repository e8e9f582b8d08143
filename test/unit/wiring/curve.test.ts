// Who may speak to whom when keys are configured: real sockets, real handshakes.

import { chmod, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "@jest/globals";
import fc from "fast-check";
import { pino } from "pino";
import { curveKeyPair, Dealer } from "zeromq";
import {
  AllowedKeys,
  createKeyFile,
  houseSettings,
  type Metrics,
  quiet,
  readKeyFile,
} from "../../../lib/wiring/index.js";
import { decodeZ85, encodeZ85, isKey } from "../../../lib/wiring/rpc/z85.js";
import { post } from "../../../lib/wiring/rpc/zap.js";
import { atEnd } from "../../kit/cleanup.js";
import { until } from "../../kit/until.js";
import { contract } from "./mill.js";
import { openMill, openWorld } from "./world.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hf-keys-"));
  atEnd(() => rm(folder, { recursive: true, force: true }));
});

/** A log that remembers what it was told. */
function listening() {
  const said: { readonly msg: string; readonly key?: string }[] = [];
  return { said, log: pino({ level: "warn" }, { write: (line: string) => said.push(JSON.parse(line)) }) };
}

function counting() {
  const counts: Record<string, number> = {};
  const count: Metrics["count"] = (name, by = 1, tags) => {
    const key = [name, ...Object.values(tags ?? {})].join(" ");
    counts[key] = (counts[key] ?? 0) + by;
  };
  return { counts, metrics: { count, gauge: () => {}, timing: () => {}, close: async () => {} } };
}

const keysOf = (pair: { publicKey: string; secretKey: string }, allowed: readonly string[], file?: string) => ({
  curve: { ...pair, allowed: new AllowedKeys({ always: [pair.publicKey, ...allowed], file, log: quiet }) },
});

test("keys on the list call each other; a key that is not is refused, counted, and said once", async () => {
  const world = await openWorld("remote");
  const [host, friend, stranger] = [curveKeyPair(), curveKeyPair(), curveKeyPair()];
  const { said, log } = listening();
  const { counts, metrics } = counting();
  const mill = await openMill(await world.open({ ...keysOf(host, [friend.publicKey]), log, metrics }));
  const known = (await world.open(keysOf(friend, [host.publicKey]))).client(contract);
  expect(await known.call("echo", { text: "hello" })).toEqual({ text: "hello" });

  const unknown = (await world.open(keysOf(stranger, [host.publicKey]))).client(contract);
  await expect(unknown.call("echo", { text: "let me in" }, { timeoutMs: 1_000 })).rejects.toMatchObject({
    code: "NO_INSTANCE",
    sent: false,
  });
  await until("several refusals are counted", 5_000, () => (counts["wiring.keys_refused caller"] ?? 0) > 2);
  expect(said.filter(({ msg }) => msg.includes("refused"))).toMatchObject([{ key: stranger.publicKey }]);
  expect(JSON.stringify(said)).not.toContain(stranger.secretKey);
  expect(mill.begun).toEqual([]);
  expect(await known.call("echo", { text: "still" })).toEqual({ text: "still" });
}, 20_000);

test("an instance whose key is not on the caller's list is not spoken to, whatever discovery says", async () => {
  const world = await openWorld("remote");
  const [impostor, honest] = [curveKeyPair(), curveKeyPair()];
  await openMill(await world.open({ curve: impostor }));
  const { said, log } = listening();
  const client = (await world.open({ ...keysOf(honest, []), log })).client(contract);
  await expect(client.call("echo", { text: "x" }, { timeoutMs: 300 })).rejects.toMatchObject({ code: "NO_INSTANCE" });
  expect(said).toMatchObject([{ key: impostor.publicKey }]);
});

test("a key that is removed from the file cannot connect again, and one that is added can", async () => {
  const world = await openWorld("remote");
  const [host, caller] = [curveKeyPair(), curveKeyPair()];
  const file = join(folder, "allowed");
  await writeFile(file, `# the callers\n${caller.publicKey} the caller\n`);
  await openMill(await world.open(keysOf(host, [], file)));
  const open = () => world.open(keysOf(caller, [host.publicKey]));
  const first = await open();
  expect(await first.client(contract).call("echo", { text: "in" })).toEqual({ text: "in" });
  await first.close();

  await writeFile(file, "# nobody\n");
  const second = (await open()).client(contract);
  await expect(second.call("echo", { text: "again" }, { timeoutMs: 300 })).rejects.toMatchObject({ sent: false });

  await writeFile(file, `${caller.publicKey}\n`);
  expect(await second.call("echo", { text: "back" }, { timeoutMs: 5_000 })).toEqual({ text: "back" });
}, 20_000);

test("a caller with the right server key and no admitted one gets no byte through", async () => {
  const world = await openWorld("remote");
  const [host, stranger] = [curveKeyPair(), curveKeyPair()];
  const mill = await openMill(await world.open(keysOf(host, [])));
  const raw = new Dealer({
    ...{ linger: 0, reconnectInterval: -1, curveServerKey: host.publicKey },
    ...{ curvePublicKey: stranger.publicKey, curveSecretKey: stranger.secretKey },
  });
  atEnd(() => raw.close());
  const refused = new Promise((resolve) => raw.events.on("handshake:error:auth", resolve));
  raw.connect(mill.hosted.instance.endpoint);
  expect(await refused).toMatchObject({ error: { status: 400 } });
});

test("a list that fails admits nobody", async () => {
  const world = await openWorld("remote");
  const host = curveKeyPair();
  const broken = {
    admits: () => {
      throw new Error("broken");
    },
  };
  await openMill(await world.open({ curve: { ...host, allowed: broken } }));
  const client = (await world.open(keysOf(curveKeyPair(), [host.publicKey]))).client(contract);
  await expect(client.call("echo", { text: "x" }, { timeoutMs: 300 })).rejects.toMatchObject({ code: "NO_INSTANCE" });
});

test("the desk can be left and manned again, any number of times", async () => {
  const guard = { admits: () => true };
  for (let i = 0; i < 5; i++) {
    const leave = await post("a", guard);
    const other = await post("b", guard);
    await leave();
    await other();
  }
});

test("a key file is private, is never overwritten, and holds a pair that belongs together", async () => {
  const file = join(folder, "curve.key");
  const publicKey = createKeyFile(file);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(readKeyFile(file).publicKey).toBe(publicKey);
  expect(() => createKeyFile(file)).toThrow("exists");
  await chmod(file, 0o640);
  expect(() => readKeyFile(file)).toThrow("chmod 600");
  await rm(file);
  expect(() => readKeyFile(file)).toThrow("cannot be used");
  const [a, b] = [curveKeyPair(), curveKeyPair()];
  await writeFile(file, `public = "${a.publicKey}"\nsecret = "${b.secretKey}"\n`, { mode: 0o600 });
  expect(() => readKeyFile(file)).toThrow("do not belong together");
  await writeFile(file, "nothing");
  expect(() => readKeyFile(file)).toThrow("holds no pair");
});

test("an allow file that breaks while in use is said once and leaves the last list in force", async () => {
  const file = join(folder, "allowed");
  const { publicKey } = curveKeyPair();
  await writeFile(file, `${publicKey} one\n\n`);
  const { said, log } = listening();
  const list = new AllowedKeys({ always: [], file, log });
  await writeFile(file, "rubbish\n");
  expect([list.admits(publicKey), list.admits("other"), list.admits(publicKey)]).toEqual([true, false, true]);
  expect(said).toHaveLength(1);
  expect(() => new AllowedKeys({ always: [], file, log: quiet })).toThrow(`${file}:1: expected a public key`);
});

test("Z85 is what ZeroMQ writes, and every key survives it", () => {
  expect(encodeZ85(Buffer.from("864fd26fb559f75b", "hex"))).toBe("HelloWorld"); // The example of RFC 32.
  expect(decodeZ85("HelloWorld")?.toString("hex")).toBe("864fd26fb559f75b");
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (key) => {
      const text = encodeZ85(key);
      expect([isKey(text), decodeZ85(text)]).toEqual([true, Buffer.from(key)]);
    }),
  );
  fc.assert(fc.property(fc.string(), (text) => void decodeZ85(text))); // Never throws.
  expect(["Hell", "Hello Worl", "%%%%%%%%%#"].map((text) => decodeZ85(text))).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test("the configuration refuses keys that are none", () => {
  const result = houseSettings.safeParse({ curve: { keyFile: "k", allow: ["short"] } });
  expect(result.success ? "" : JSON.stringify(result.error.issues)).toContain("40 characters");
});
