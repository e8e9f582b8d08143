// Keys: the files by which processes of one installation know each other, when CURVE is configured.
//
//   headframe keys FILE --> key file (mode 600) --> openCurve --> every process of this host
//   allow file: one public key a line, the rest of the line is a name for people
//
//   K1. A secret key lies in a file that nobody else may read: made so, and refused otherwise.
//   K2. The allow file is looked at again at every handshake, so a key that was removed cannot connect any more. Whoever is
//       connected stays so until its connection ends. A file that became unreadable leaves the last list in force.

import { createPrivateKey, createPublicKey } from "node:crypto";
import { readFileSync, type Stats, statSync, writeFileSync } from "node:fs";
import { curveKeyPair } from "zeromq";
import { messageOf } from "../thrown.js";
import type { Log } from "./house.js";
import type { Curve, KeyList } from "./rpc/curve.js";
import { decodeZ85, encodeZ85, isKey } from "./rpc/z85.js";

/** Mode bits of everybody but the owner. */
const OTHERS = 0o077;
/** Of an allow file: one a host or process is hundreds. */
const KEYS_MAX = 10_000;
/** PKCS #8 around the 32 bytes of an X25519 secret key (RFC 8410, section 7): the curve of CURVE. */
const PKCS8_X25519 = Buffer.from("302e020100300506032b656e04220420", "hex");

export interface CurveSettings {
  readonly keyFile: string;
  readonly allow?: readonly string[] | undefined;
  readonly allowFile?: string | undefined;
}

/** A key file is not there, not private, or broken. The message says what to do. */
export class KeyFileError extends Error {
  override readonly name = "KeyFileError";
}

/**
 * @param settings true: a pair for this process alone, and every key is admitted.
 * @throws {KeyFileError}
 */
export function openCurve(settings: boolean | CurveSettings, log: Log): Curve | undefined {
  if (settings === false) return undefined;
  if (settings === true) return curveKeyPair();
  const { keyFile, allow = [], allowFile } = settings;
  const pair = readKeyFile(keyFile);
  return { ...pair, allowed: new AllowedKeys({ always: [pair.publicKey, ...allow], file: allowFile, log }) };
}

/**
 * Makes a pair and writes it, mode 600.
 *
 * @returns the public key.
 * @throws {KeyFileError} when the file exists: a key in use must not be lost.
 */
export function createKeyFile(file: string): string {
  const { publicKey, secretKey } = curveKeyPair();
  const text = `# CURVE keys of headframe. The secret key is nobody else's business.\npublic = "${publicKey}"\nsecret = "${secretKey}"\n`;
  try {
    writeFileSync(file, text, { mode: 0o600, flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw wrapped(file, error);
    throw new KeyFileError(`the key file ${file} exists; its keys may be in use: choose another name, or remove it`);
  }
  return publicKey;
}

/** @throws {KeyFileError} */
export function readKeyFile(file: string): { publicKey: string; secretKey: string } {
  const text = reading(file, () => {
    if ((statSync(file).mode & OTHERS) !== 0) {
      throw new KeyFileError(`others may read the key file ${file}: change its mode (chmod 600) and consider new keys`); // K1
    }
    return readFileSync(file, "utf8");
  });
  const [publicKey, secretKey] = ["public", "secret"].map(
    (name) => new RegExp(`^${name} = "([^"]*)"\\s*$`, "m").exec(text)?.[1] ?? "",
  ) as [string, string];
  if (!isKey(publicKey) || !isKey(secretKey)) {
    throw new KeyFileError(`the key file ${file} holds no pair of keys; make one with \`headframe keys FILE\``);
  }
  if (publicKeyOf(secretKey) !== publicKey) {
    throw new KeyFileError(`the key file ${file} is broken: its two keys do not belong together; make a new one`);
  }
  return { publicKey, secretKey };
}

function publicKeyOf(secretKey: string): string {
  const der = Buffer.concat([PKCS8_X25519, decodeZ85(secretKey) ?? Buffer.alloc(0)]);
  const secret = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const { x = "" } = createPublicKey(secret).export({ format: "jwk" });
  return encodeZ85(Buffer.from(x, "base64url"));
}

export interface AllowedKeysOptions {
  readonly always: readonly string[];
  readonly file: string | undefined;
  readonly log: Log;
}

export class AllowedKeys implements KeyList {
  readonly #always: ReadonlySet<string>;
  readonly #options: AllowedKeysOptions;
  #listed: ReadonlySet<string> = new Set();
  /** What the file looked like when it was read. */
  #version = "";
  #failing = false;

  /** @throws {KeyFileError} when the file cannot be read at first. */
  constructor(options: AllowedKeysOptions) {
    this.#options = options;
    this.#always = new Set(options.always);
    if (options.file !== undefined) this.#read(options.file);
  }

  admits(key: string): boolean {
    this.#refresh();
    return this.#always.has(key) || this.#listed.has(key);
  }

  /** K2 */
  #refresh(): void {
    const { file, log } = this.#options;
    if (file === undefined) return;
    try {
      this.#read(file);
      this.#failing = false;
    } catch (error) {
      if (!this.#failing)
        log.error({ err: error }, "the list of allowed keys cannot be read: the last one stays in force");
      this.#failing = true;
    }
  }

  #read(file: string): void {
    const version = reading(file, () => versionOf(statSync(file)));
    if (version === this.#version) return;
    this.#listed = readAllowFile(file);
    this.#version = version;
    this.#options.log.info({ file, keys: this.#listed.size }, "allowed keys read");
  }
}

const versionOf = ({ ino, size, mtimeMs, ctimeMs }: Stats): string => [ino, size, mtimeMs, ctimeMs].join("-");

/** Lines that are empty or begin with `# ` are for people; a key may itself begin with `#`. */
function readAllowFile(file: string): ReadonlySet<string> {
  const lines = reading(file, () => readFileSync(file, "utf8")).split("\n");
  const keys = new Set<string>();
  for (const [at, line] of lines.entries()) {
    const [key = ""] = line.trim().split(/\s+/);
    if (key === "" || key === "#") continue;
    if (!isKey(key)) throw new KeyFileError(`${file}:${at + 1}: expected a public key of 40 characters, then its name`);
    keys.add(key);
  }
  if (keys.size > KEYS_MAX) throw new KeyFileError(`${file} lists ${keys.size} keys; at most ${KEYS_MAX} are taken`);
  return keys;
}

function reading<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof KeyFileError ? error : wrapped(file, error);
  }
}

const wrapped = (file: string, cause: unknown): KeyFileError =>
  new KeyFileError(`the key file ${file} cannot be used: ${messageOf(cause)}; \`headframe keys FILE\` makes one`, {
    cause,
  });
