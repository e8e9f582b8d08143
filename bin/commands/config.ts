// headframe config: what the configuration is, whether it holds, and a file to start from.

import { writeFile } from "node:fs/promises";
import { stringify } from "smol-toml";
import type { CommandModule } from "yargs";
import { z } from "zod";
import { maskSecrets } from "../../lib/core/secrets.js";
import { NETWORKS, PRESETS } from "../../services/jobmanager/coins/index.js";
import { type Config, type ConfigOptions, configOptions, configSchema, readConfig } from "../config.js";
import { drawSample, type SettingSchema } from "../draw/sample-config.js";
import { UsageError } from "../failure.js";
import { toJson } from "../json.js";

interface Shown extends ConfigOptions {
  readonly json: boolean;
}

const json = { type: "boolean", default: false } as const;

const check: CommandModule<object, Shown> = {
  command: "check",
  describe: "Validate the configuration; print every error with its key and the accepted values",
  builder: (yargs) => yargs.options({ ...configOptions, json: { ...json, describe: "Print { ok, file } as JSON" } }),
  handler: (args) => {
    const { file, jobmanager } = readConfig(args); // Throws what is wrong: exit code 2.
    if (args.json) process.stdout.write(`${toJson({ ok: true, file: file ?? null })}\n`);
    else process.stdout.write(`${file ?? "defaults (no file)"}: ok\n`);
    if (!jobmanager && !args.json) process.stdout.write("it has no [jobmanager] section, which a pool needs\n");
  },
};

const show: CommandModule<object, Shown> = {
  command: "show",
  describe: "Print the effective configuration (file, environment, flags, defaults) with secrets masked",
  builder: (yargs) => yargs.options({ ...configOptions, json: { ...json, describe: "Print JSON instead of TOML" } }),
  handler: (args) => {
    const config = readConfig(args);
    const shown = maskSecrets(plain(config));
    const head = `# from ${config.file ?? "defaults only: there is no file"}\n`;
    process.stdout.write(args.json ? `${toJson(shown)}\n` : `${head}${stringify(shown)}\n`);
  },
};

/** As the file would say it, without the keys that are not set. */
function plain({ house, file: _file, reread: _reread, ...services }: Config): unknown {
  return JSON.parse(JSON.stringify({ ...house, ...services }));
}

interface Init {
  readonly file: string;
  readonly force: boolean;
  readonly print: boolean;
  readonly address: string;
  readonly coin: string;
  readonly network: string;
  readonly daemon: string;
  readonly cookie: string | undefined;
  readonly redis: string;
  readonly port: number;
}

const init: CommandModule<object, Init> = {
  command: "init [file]",
  describe: "Write a sample configuration: every key with its meaning and default",
  builder: (yargs) =>
    yargs
      .positional("file", { type: "string", default: "headframe.toml", describe: "File to write" })
      .options({
        address: { type: "string", requiresArg: true, default: "", describe: "Address that block rewards are paid to" },
        coin: { type: "string", requiresArg: true, default: "litecoin", describe: `Preset: ${PRESETS.join(" or ")}` },
        network: { type: "string", requiresArg: true, default: "main", describe: "main, test or regtest" },
        daemon: {
          type: "string",
          requiresArg: true,
          default: "http://127.0.0.1:9332",
          describe: "The coin daemon's RPC address",
        },
        cookie: { type: "string", requiresArg: true, describe: "The daemon's cookie file" },
        redis: { type: "string", requiresArg: true, default: "redis://127.0.0.1:6379", describe: "URL of Redis" },
        port: { type: "number", requiresArg: true, default: 3333, describe: "Port that miners connect to" },
        force: { type: "boolean", default: false, describe: "Overwrite an existing file" },
        print: { type: "boolean", default: false, describe: "Print to stdout instead of writing a file" },
      })
      .example("headframe config init --address ltc1q... --cookie ~/.litecoin/.cookie", "then: headframe config check"),
  handler: async (args) => {
    const text = sampleFor(args);
    if (args.print) {
      process.stdout.write(text);
      return;
    }
    await write(args, text);
    const next = args.address === "" ? `set jobmanager.payout.address in it, then ` : "";
    process.stdout.write(
      `${args.file} written\nnext: ${next}\`headframe config check --config ${args.file}\`, \`headframe doctor --config ${args.file}\`\n`,
    );
  },
};

export const config: CommandModule<object, object> = {
  command: "config <command>",
  describe: "Validate, print or create a configuration",
  builder: (yargs) =>
    yargs.command(check).command(show).command(init).demandCommand(1, "name what to do: check, show or init"),
  handler: () => {},
};

/** Nobody else may read it: passwords will stand in it. */
async function write({ file, force }: Init, text: string): Promise<void> {
  try {
    await writeFile(file, text, { mode: 0o600, flag: force ? "w" : "wx" });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    throw new UsageError(`${file} exists already; use --force to overwrite it, or another name`);
  }
}

const HEAD = `# Headframe's configuration. A key behind a # has its default; remove the # to change it.
# Any key can be overridden: redis.url by the variable HEADFRAME__REDIS__URL, or by --set redis.url=...
`;

/** Pure. */
export function sampleFor(it: Omit<Init, "file" | "force" | "print">): string {
  oneOf("--coin", it.coin, PRESETS, "; another coin is described in full as the table jobmanager.coin");
  oneOf("--network", it.network, NETWORKS);
  const schema = z.toJSONSchema(configSchema, { io: "input", unrepresentable: "any", reused: "inline" });
  const daemon = { name: "near", url: it.daemon, ...(it.cookie === undefined ? LOGIN : { cookieFile: it.cookie }) };
  const set = {
    redis: { url: it.redis },
    jobmanager: { coin: it.coin, network: it.network, payout: { address: it.address }, daemons: [daemon] },
    haproxy: { listeners: [{ name: "default", port: it.port }] },
  };
  return `${HEAD}\n${drawSample(schema as SettingSchema, set)}`;
}

function oneOf(option: string, value: string, accepted: readonly string[], more = ""): void {
  if (accepted.includes(value)) return;
  throw new UsageError(`${option} ${value}: there is ${accepted.join(", ")}${more}`);
}

const LOGIN = { user: "pool", passwordFile: "/etc/headframe/daemon.password" };
