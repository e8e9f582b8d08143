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
    name: z.string().min(1).max(32).describe("The coin's name in jobs, logs and metrics."),
    proofOfWork: proofOfWorkName.describe("The function that hashes a header."),
    rules: z
      .array(z.string().min(1).max(64))
      .max(32)
      .default(["segwit"])
      .describe("Rules named to the daemon in getblocktemplate."),
    chain: z.string().min(1).max(32).describe("What the daemon's getblockchaininfo says as `chain`."),
    genesis: z
      .string()
      .regex(/^[0-9a-f]{64}$/, "expected 64 lower-case hex digits")
      .optional()
      .describe("Block id of block 0; a daemon with another one is refused. Absent: not checked."),
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
      .describe("What logs, metrics and verdicts call it."),
    url: z
      .url({ protocol: /^https?$/, error: "expected http://host:port or https://host:port" })
      .max(255)
      .refine((url) => !/\/\/[^/]*@/.test(url), "put credentials into user and password, not into the url")
      .describe("JSON-RPC address; for a wallet daemon without the wallet's path."),
    user: z.string().max(128).optional().describe("RPC user, with password or passwordFile."),
    password: z.string().max(512).optional().describe("RPC password."),
    passwordFile: z.string().max(4_096).optional().describe("File that holds the RPC password."),
    cookieFile: z
      .string()
      .max(4_096)
      .optional()
      .describe("The daemon's .cookie file, instead of user and password; read again when the daemon refuses it."),
    zmqHashblock: z
      .string()
      .regex(/^(tcp|ipc):\/\/.{1,255}$/, "expected tcp://host:port or ipc://path")
      .optional()
      .describe("The daemon's -zmqpubhashblock address; absent: long poll only."),
    timeoutMs: z
      .number()
      .int()
      .min(100)
      .max(120_000)
      .default(10_000)
      .describe("A call that takes longer makes the daemon count as too slow, in milliseconds."),
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
      .describe(`A preset (${PRESETS.join(", ")}), or a table that describes another coin.`),
    network: z.enum(NETWORKS).default("main").describe("Which of the preset's networks is mined."),
    payout: z
      .union([
        z.strictObject({ address: z.string().min(1).max(128).describe("Address that every reward is paid to.") }),
        z.strictObject({
          script: z
            .string()
            .max(PAYOUT_SCRIPT_HEX_MAX)
            .regex(/^([0-9a-f]{2})+$/i, "expected hex digits, an even number of them")
            .describe("Output script that every reward is paid to, hex."),
        }),
      ])
      .describe("Who is paid for a block: an address of the coin and network, or an output script."),
    tag: z
      .string()
      .max(TAG_BYTES_MAX)
      .regex(/^[\x20-\x7e]*$/, "expected printable ASCII")
      .default("/headframe/")
      .describe(`The pool's mark in the coinbase, at most ${TAG_BYTES_MAX} characters.`),
    extranonce1Size: z
      .number()
      .int()
      .min(2)
      .max(8)
      .default(4)
      .describe("Bytes that tell connections apart; 4 serve four billion connections."),
    extranonce2Size: z
      .number()
      .int()
      .min(2)
      .max(8)
      .default(8)
      .describe(
        "Bytes that a miner counts through. Rental services want at least 6 (4 of their own, and 1 or 2 for a proxy in between); cgminer takes 2 to 16, some firmware no more than 8.",
      ),
    versionMask: z
      .number()
      .int()
      .min(0)
      .max(0xffff_ffff)
      .default(0x1fff_e000)
      .describe("Version bits that miners may roll (BIP 320); 0 forbids it."),
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
      .describe("New work within a tip after this time, so that miners get new transactions and never think us dead."),
    pollMs: z
      .number()
      .int()
      .min(50)
      .max(60_000)
      .default(500)
      .describe("How often a daemon without long poll and ZeroMQ is asked for its tip, in milliseconds."),
    pulseMs: z
      .number()
      .int()
      .min(100)
      .max(60_000)
      .default(2_000)
      .describe("How often any other daemon is asked for its tip, to see that it lives, in milliseconds."),
    steadyMs: z
      .number()
      .int()
      .min(0)
      .max(3_600_000)
      .default(30_000)
      .describe("How long a preferred daemon must have been live before it takes over again, in milliseconds."),
    confirmations: z
      .number()
      .int()
      .min(1)
      .max(100_000)
      .default(101)
      .describe(
        "Confirmations after which a found block counts as confirmed; from 101 on a wallet spends its reward (100 blocks on top of its own).",
      ),
    followMs: z
      .number()
      .int()
      .min(100)
      .max(3_600_000)
      .default(10_000)
      .describe("How often the chain is asked about blocks that are not confirmed yet, in milliseconds."),
    jobTtlMs: z
      .number()
      .int()
      .min(60_000)
      .max(86_400_000)
      .default(600_000)
      .describe("How long another jobmanager can complete a block of our job, in milliseconds."),
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
