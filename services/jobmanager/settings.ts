// What an operator sets for a jobmanager: the coin, who is paid, the daemons, the pace.

import { z } from "zod";
import { proofOfWorkName } from "../../lib/contracts/index.js";
import { coinOf, NETWORKS, PRESETS, scriptOfAddress } from "./coins/index.js";
import { messageOf } from "./reason.js";

/** An output script has at most 10,000 bytes by consensus; standard ones have under 50. */
const PAYOUT_SCRIPT_HEX_MAX = 1_000;
const DAEMONS_MAX = 32;
/** 4 bytes of salt and 4 of variant, two extranonces of up to 8, the height and the aux leave this much of the 100 bytes. */
const TAG_BYTES_MAX = 32;

const versionByte = z.number().int().min(0).max(255);

const customCoin = z
  .strictObject({
    name: z.string().min(1).max(32).describe("Name of the coin in jobs, logs and metrics."),
    proofOfWork: proofOfWorkName.describe("Proof-of-work function."),
    rules: z
      .array(z.string().min(1).max(64))
      .max(32)
      .default(["segwit"])
      .describe("Rules sent to the daemon in getblocktemplate."),
    chain: z.string().min(1).max(32).describe("Value of `chain` in the daemon's getblockchaininfo."),
    genesis: z
      .string()
      .regex(/^[0-9a-f]{64}$/, "expected 64 lower-case hex digits")
      .optional()
      .describe("Hash of block 0. A daemon with another one is rejected. Absent: not checked."),
    address: z
      .strictObject({
        bech32: z.string().min(1).max(32).optional().describe("Human-readable part of witness addresses."),
        mweb: z
          .string()
          .min(1)
          .max(32)
          .optional()
          .describe("Human-readable part of addresses that a coinbase cannot pay."),
        publicKeyHash: z.array(versionByte).min(1).max(4).describe("Base58 version bytes of key addresses."),
        scriptHash: z.array(versionByte).max(4).default([]).describe("Base58 version bytes of script addresses."),
      })
      .describe("How the coin writes addresses."),
  })
  .describe("A coin without a preset, in full.");

const daemon = z
  .strictObject({
    name: z
      .string()
      .regex(/^[\w.-]{1,64}$/, "expected 1 to 64 letters, digits, `.`, `_` or `-`")
      .describe("Name of the daemon in logs and metrics."),
    url: z
      .url({ protocol: /^https?$/, error: "expected http://host:port or https://host:port" })
      .max(255)
      .refine((url) => !/\/\/[^/]*@/.test(url), "put credentials into user and password, not into the url")
      .describe("URL of the daemon's JSON-RPC interface, without a wallet path."),
    user: z.string().max(128).optional().describe("RPC user, with password or passwordFile."),
    password: z.string().max(512).optional().describe("RPC password."),
    passwordFile: z.string().max(4_096).optional().describe("File that holds the RPC password."),
    cookieFile: z
      .string()
      .max(4_096)
      .optional()
      .describe(
        "The daemon's .cookie file, in place of user and password. It is read again when the daemon rejects the credentials.",
      ),
    zmqHashblock: z
      .string()
      .regex(/^(tcp|ipc):\/\/.{1,255}$/, "expected tcp://host:port or ipc://path")
      .optional()
      .describe("The daemon's -zmqpubhashblock address. Absent: only long poll."),
    timeoutMs: z
      .number()
      .int()
      .min(100)
      .max(120_000)
      .default(10_000)
      .describe("Milliseconds after which a call fails and the daemon is considered down."),
  })
  .refine((it) => it.cookieFile === undefined || (it.user === undefined && it.password === undefined), {
    path: ["cookieFile"],
    error: "give either cookieFile or user and password, not both",
  })
  .refine((it) => it.password === undefined || it.passwordFile === undefined, {
    path: ["passwordFile"],
    error: "give either password or passwordFile, not both",
  })
  .refine((it) => it.cookieFile !== undefined || it.user !== undefined, {
    path: ["user"],
    error: "needed with a password; or give cookieFile",
  });
export type DaemonSettings = z.output<typeof daemon>;

export const settings = z
  .strictObject({
    coin: z
      .union([z.enum(PRESETS), customCoin])
      .default("litecoin")
      .describe(`Preset (${PRESETS.join(", ")}), or a table that describes another coin.`),
    network: z.enum(NETWORKS).default("main").describe("Network of the preset."),
    payout: z
      .union([
        z.strictObject({ address: z.string().min(1).max(128).describe("Address that receives every block reward.") }),
        z.strictObject({
          script: z
            .string()
            .max(PAYOUT_SCRIPT_HEX_MAX)
            .regex(/^([0-9a-f]{2})+$/i, "expected hex digits, an even number of them")
            .describe("Output script that receives every block reward, in hex."),
        }),
      ])
      .describe("Who is paid for a block: an address of the coin and network, or an output script."),
    tag: z
      .string()
      .max(TAG_BYTES_MAX)
      .regex(/^[\x20-\x7e]*$/, "expected printable ASCII")
      .default("/headframe/")
      .describe(`Text in the coinbase that identifies the pool, at most ${TAG_BYTES_MAX} characters.`),
    extranonce1Size: z
      .number()
      .int()
      .min(2)
      .max(8)
      .default(4)
      .describe("Bytes of extranonce1, which is unique per connection. 4 bytes allow four billion connections."),
    extranonce2Size: z
      .number()
      .int()
      .min(2)
      .max(8)
      .default(8)
      .describe(
        "Bytes of extranonce2, which the miner varies. Rental services need at least 6 (4 of their own, and 1 or 2 for a proxy in between). cgminer accepts 2 to 16, some firmware at most 8.",
      ),
    versionMask: z
      .number()
      .int()
      .min(0)
      .max(0xffff_ffff)
      .default(0x1fff_e000)
      .describe("Mask of the version bits that miners may roll (BIP 320), as a number. 0: none."),
    daemons: z
      .array(daemon)
      .min(1)
      .max(DAEMONS_MAX)
      .refine((list) => new Set(list.map(({ name }) => name)).size === list.length, "two daemons have the same name")
      .describe("Coin daemons, the preferred one first."),
    refreshMs: z
      .number()
      .int()
      .min(5_000)
      .max(55_000)
      .default(30_000)
      .describe(
        "Milliseconds between two jobs on the same tip. New jobs contain new transactions and keep miners from timing out.",
      ),
    pollMs: z
      .number()
      .int()
      .min(50)
      .max(60_000)
      .default(500)
      .describe("Milliseconds between two polls of a daemon's tip, without long poll and ZeroMQ."),
    pulseMs: z
      .number()
      .int()
      .min(100)
      .max(60_000)
      .default(2_000)
      .describe("Milliseconds between two health checks of any other daemon."),
    steadyMs: z
      .number()
      .int()
      .min(0)
      .max(3_600_000)
      .default(30_000)
      .describe("Milliseconds that a preferred daemon must have been live before it is used again."),
    confirmations: z
      .number()
      .int()
      .min(1)
      .max(100_000)
      .default(101)
      .describe(
        "Confirmations after which a found block is `confirmed`. With 101 (100 blocks on top of its own) a wallet can spend its reward.",
      ),
    followMs: z
      .number()
      .int()
      .min(100)
      .max(3_600_000)
      .default(10_000)
      .describe("Milliseconds between two checks of blocks that are not confirmed yet."),
    jobTtlMs: z
      .number()
      .int()
      .min(60_000)
      .max(86_400_000)
      .default(600_000)
      .describe("Milliseconds for which other jobmanagers can complete a block of a job of this one."),
  })
  .superRefine((it, context) => {
    const coin = coinOf(it.coin, it.network);
    if (!("address" in it.payout)) return;
    try {
      scriptOfAddress(it.payout.address, coin);
    } catch (error) {
      context.addIssue({ code: "custom", path: ["payout", "address"], message: messageOf(error) });
    }
  });
export type Settings = z.output<typeof settings>;

/** The output script that the settings pay to. */
export const payoutScript = (it: Settings): Buffer =>
  "address" in it.payout
    ? scriptOfAddress(it.payout.address, coinOf(it.coin, it.network))
    : Buffer.from(it.payout.script, "hex");
