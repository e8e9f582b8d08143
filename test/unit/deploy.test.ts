// deploy/: files that no machine of ours runs must at least be right: verified by systemd, valid by Kubernetes' own schemas, and true to
// what they say of this checkout.

import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { bech32 } from "bech32";
import { execa } from "execa";
import { parse } from "smol-toml";
import { parseAllDocuments } from "yaml";
import { configSchema } from "../../bin/config.js";
import { atEnd } from "../kit/cleanup.js";

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: Readonly<Record<string, unknown>>;
}

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const SYSTEMD = join(ROOT, "deploy/systemd");
const read = (...path: string[]): string => readFileSync(join(ROOT, ...path), "utf8");
const unitNames = readdirSync(SYSTEMD).filter((name) => /\.(service|target)$/.test(name));
const unit = (name: string): string => read("deploy/systemd", name);

/** From 0 (nothing is exposed) to 10; systemd calls less than 3 well protected. */
const EXPOSURE_MAX = 2.5;

describe("systemd units", () => {
  test("systemd finds nothing wrong with them", async () => {
    const folder = mkdtempSync(join(tmpdir(), "headframe-units-"));
    atEnd(() => rmSync(folder, { recursive: true }));
    const names = unitNames.map((name) => {
      const instance = name.replace("@.", "@1.");
      writeFileSync(join(folder, instance), unit(name).replaceAll("/usr/bin/node", process.execPath));
      return instance;
    });
    const env = { SYSTEMD_UNIT_PATH: `${folder}:` };
    const { exitCode, all } = await execa("systemd-analyze", ["verify", ...names], { env, reject: false, all: true });
    expect({ exitCode, all }).toEqual({ exitCode: 0, all: "" });
  });

  test("who holds connections refuses to be stopped or restarted by itself, and is in nobody's way out but the front's", () => {
    for (const name of ["headframe-keeper.service", "headframe-haproxy.service", "headframe-front-managed.service"]) {
      expect(unit(name)).toContain("\nRefuseManualStop=yes\n");
      expect(unit(name)).toContain("\nOOMScoreAdjust=-900\n");
      const partOf = /^PartOf=(.*)$/m.exec(unit(name))?.[1];
      expect([undefined, "headframe-front.target"]).toContain(partOf);
    }
    expect(unit("headframe-front.target")).not.toMatch(/^(PartOf|BindsTo|Requires)=/m);
    expect(read("deploy/systemd/needrestart.conf")).toContain("keeper|haproxy|front-managed");
  });

  test.each(unitNames.filter((name) => name.endsWith(".service")))(
    "%s is locked down, by systemd's own rating",
    async (name) => {
      const folder = mkdtempSync(join(tmpdir(), "headframe-units-"));
      atEnd(() => rmSync(folder, { recursive: true }));
      const file = join(folder, name.replace("@.", "@1."));
      writeFileSync(file, unit(name).replaceAll("/usr/bin/node", process.execPath));
      const { stdout } = await execa("systemd-analyze", ["security", "--offline=true", file], { reject: false });
      const [, exposure = "10"] = /Overall exposure level for \S+: ([\d.]+)/.exec(stdout) ?? [];
      expect(Number(exposure)).toBeLessThanOrEqual(EXPOSURE_MAX);
    },
  );

  test("what they start is in the checkout, and every unit that is wanted exists", () => {
    const texts = unitNames.map(unit).join("\n");
    const started = [...texts.matchAll(/\/opt\/headframe\/([\w./-]+)/g)].map(([, path = ""]) =>
      path.replace(/^(dist\/.*)\.js$/, "$1.js"),
    );
    expect(new Set(started).size).toBeGreaterThan(3);
    for (const path of started) expect({ path, there: existsSync(join(ROOT, path)) }).toEqual({ path, there: true });
    const wanted = [...texts.matchAll(/^(?:Wants|PartOf|WantedBy)=(.*)$/gm)].flatMap(([, names = ""]) =>
      names.split(" "),
    );
    for (const name of wanted.filter((it) => it.startsWith("headframe")))
      expect(unitNames).toContain(name.replace(/@\d/, "@"));
  });
});

/** A folder with a `headframe` that lists these instances, and a `systemctl` that has two units and logs what it is told. */
function standIns(instances: readonly object[]): { root: string; told(): string[] } {
  const root = mkdtempSync(join(tmpdir(), "headframe-deploy-"));
  atEnd(() => rmSync(root, { recursive: true }));
  const log = join(root, "told");
  const list = JSON.stringify({ instances });
  mkdirSync(join(root, "dist/bin"), { recursive: true });
  writeFileSync(join(root, "dist/bin/headframe.js"), `process.stdout.write(${JSON.stringify(list)});`);
  writeFileSync(
    join(root, "systemctl"),
    `#!/bin/sh
case "$1" in
  list-units) printf '%s\\n' 'headframe-stratum@1.service loaded active' 'headframe-stratum@2.service loaded active' ;;
  show) echo 42 ;;
  *) echo "$@" >> ${log} ;;
esac
`,
    { mode: 0o755 },
  );
  return { root, told: () => readFileSync(log, "utf8").trim().split("\n") };
}

describe("scripts", () => {
  const mine = { host: hostname(), pid: 42, state: "ready" };
  const run = (script: string, args: string[], root: string) => {
    const env = { HEADFRAME_ROOT: root, PATH: `${root}:${process.env.PATH}` };
    return execa(join(ROOT, "deploy", script), args, { env, reject: false, timeout: 20_000 });
  };

  test("roll restarts each instance when the one before it is ready, and stops where one is not", async () => {
    const good = standIns([mine]);
    const done = await run("systemd/roll", ["stratum"], good.root);
    expect(done.stdout.split("\n")).toEqual([1, 2].map((n) => `headframe-stratum@${n}.service is ready`));
    expect(good.told()).toEqual([1, 2].map((n) => `restart headframe-stratum@${n}.service`));
    const bad = standIns([{ ...mine, state: "starting" }]);
    const failed = await execa(join(ROOT, "deploy/systemd/roll"), ["stratum"], {
      env: { HEADFRAME_ROOT: bad.root, PATH: `${bad.root}:${process.env.PATH}`, ROLL_PATIENCE_S: "1" },
      reject: false,
    });
    expect(failed).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("see journalctl -u headframe-stratum@1"),
    });
    expect(bad.told()).toEqual(["restart headframe-stratum@1.service"]);
  });
});

describe("the container", () => {
  test("what the recipe copies is there, and its entry point runs commands", async () => {
    const copied = [...read("deploy/Dockerfile").matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, files = ""]) =>
      files.split(" "),
    );
    expect(copied).toContain("package-lock.json");
    for (const file of copied) expect({ file, there: existsSync(join(ROOT, file)) }).toEqual({ file, there: true });
    const entry = join(ROOT, "deploy/entrypoint");
    const { stdout } = await execa(entry, ["--version"], { env: { HEADFRAME_ROOT: ROOT } });
    expect(stdout).toBe(JSON.parse(read("package.json")).version);
  });
});

test("the container's process 1 is a shell that hands signals on and ends as the manager does", async () => {
  const root = mkdtempSync(join(tmpdir(), "entry-"));
  atEnd(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, "dist/circus"), { recursive: true });
  const manager =
    'process.on("SIGTERM", () => setTimeout(() => process.exit(3), 200)); console.log("up"); setInterval(() => {}, 1e3);';
  writeFileSync(join(root, "dist/circus/main.js"), manager);
  const child = execa(join(ROOT, "deploy/entrypoint"), ["front"], {
    env: { HEADFRAME_ROOT: root },
    reject: false,
    timeout: 20_000,
  });
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  expect(await child).toMatchObject({ exitCode: 3, timedOut: false });
});

describe("Kubernetes manifests", () => {
  let manifests: Manifest[];
  beforeAll(() => {
    const folder = "deploy/kubernetes";
    const files = readdirSync(join(ROOT, folder)).filter((name) => name.endsWith(".yaml"));
    manifests = files.flatMap((file) =>
      parseAllDocuments(read(folder, file), { merge: true }).map((document) => {
        expect(document.errors).toEqual([]);
        return document.toJS() as Manifest;
      }),
    );
  });

  test("each is valid by the schema of its kind, without a key that the schema does not know", async () => {
    expect(manifests.length).toBeGreaterThan(10);
    for (const manifest of manifests) {
      const of = `${manifest.apiVersion} ${manifest.kind} ${manifest.metadata.name}`;
      expect({ of, unknown: await unknownKeys(manifest) }).toEqual({ of, unknown: [] });
    }
  });

  test("a misspelt key, and a wrong value, would be noticed", async () => {
    const service = { apiVersion: "v1", kind: "Service", metadata: { name: "x" } };
    expect(await unknownKeys({ ...service, spec: { selectr: { a: "b" }, ports: [{ port: 1 }] } })).toEqual([
      "spec.selectr",
      "spec.selectr.a",
    ]);
    await expect(unknownKeys({ ...service, spec: { ports: [{ port: "a" }] } })).rejects.toThrow("port");
  });

  test("a placeholder stands where the operator's address belongs, and the check of the configuration refuses it", () => {
    const toml = manifests.find(({ kind }) => kind === "ConfigMap")?.data?.["headframe.toml"] ?? "";
    const { error } = configSchema.safeParse(parse(toml));
    expect(error?.issues.map(({ path }) => path.join("."))).toEqual(["jobmanager.payout.address"]);
  });

  test("the network policy lets a Prometheus of another namespace reach the port that the pods' annotations name", () => {
    const text = readdirSync(join(ROOT, "deploy/kubernetes")).map((file) => read("deploy/kubernetes", file));
    const annotated = new Set(
      [...text.join("\n").matchAll(/prometheus\.io\/port: "(\d+)"/g)].map(([, port]) => Number(port)),
    );
    expect(annotated.size).toBeGreaterThan(0);
    const rules = (manifests.find(({ kind }) => kind === "NetworkPolicy")?.spec?.ingress ?? []) as readonly {
      readonly from?: readonly { readonly namespaceSelector?: object }[];
      readonly ports?: readonly { readonly port: number }[];
    }[];
    const open = rules.filter(({ from }) => from === undefined || from.some((it) => it.namespaceSelector));
    const reachable = open.flatMap(({ ports = [] }) => ports.map(({ port }) => port));
    for (const port of annotated) expect(reachable).toContain(port);
  });

  test("the configuration in them, with an address, is accepted, and no rollout or drain takes the front along", () => {
    const toml = manifests.find(({ kind }) => kind === "ConfigMap")?.data?.["headframe.toml"] ?? "";
    const filled = toml.replace("REPLACE-WITH-YOUR-ADDRESS", LITECOIN_ADDRESS);
    expect(configSchema.parse(parse(filled))).toMatchObject({ jobmanager: { network: "main" } });
    const front = (kind: string) => manifests.find((it) => it.kind === kind && it.metadata.name === "front")?.spec;
    expect(front("StatefulSet")).toMatchObject({ updateStrategy: { type: "OnDelete" } });
    expect(front("PodDisruptionBudget")).toMatchObject({ maxUnavailable: 0 });
    expect(front("Service")).toMatchObject({ externalTrafficPolicy: "Local" });
  });
});

/** Of no key that anybody has: the hash is 20 zero bytes. */
const LITECOIN_ADDRESS = bech32.encode("ltc", [0, ...bech32.toWords(Buffer.alloc(20))]);

type Model = Record<string, unknown> & { validate(): void };

/** @throws what is wrong by the schema. */
async function unknownKeys(manifest: Manifest): Promise<string[]> {
  const { apiVersion, kind } = manifest;
  const models = (await import(`kubernetes-models/${apiVersion}/${kind}`)) as Record<string, new (it: object) => Model>;
  const Kind = models[kind];
  if (!Kind) throw new Error(`no such kind: ${apiVersion} ${kind}`);
  const model = new Kind(manifest);
  const unread = new Set<string>();
  for (const [key, value] of Object.entries(model)) model[key] = watch(value, key, unread);
  model.validate();
  return [...unread];
}

/** The same value; `unread` has the path of every key that nobody has looked at yet: a validator looks at what its schema knows. */
function watch<T>(value: T, path: string, unread: Set<string>): T {
  if (typeof value !== "object" || value === null) return value;
  const inner = new Map<PropertyKey, unknown>();
  for (const [key, each] of Object.entries(value)) {
    unread.add(`${path}.${key}`);
    inner.set(key, watch(each, `${path}.${key}`, unread));
  }
  return new Proxy(value, {
    get(target, key) {
      unread.delete(`${path}.${String(key)}`);
      return inner.has(key) ? inner.get(key) : Reflect.get(target, key);
    },
  });
}
