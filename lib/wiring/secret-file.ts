// The installation's secret: 32 random bytes in a file, by which processes of one installation know each other (rpc/handshake.ts).
//
//   first process: temporary file (mode 600) --link(2), which only one can do--> the file <--read-- every later process
//
//   S1. It is made by whoever comes first and needs it; processes that start at the same moment agree on one, and nobody ever sees half
//       of one: the file appears whole under its name, or not at all.
//   S2. A file that others may read or write is refused, and so is one of another user's: who can change it decides who may call us.
//   S3. It is never logged, never put into an error, never sent.

import { randomBytes } from "node:crypto";
import {
  closeSync,
  fchownSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { messageOf } from "../thrown.js";

export const SECRET_BYTES = 32;
/** Of a system-wide installation (deploy/): used when it is there and this user's, or when root asks. */
const SYSTEM_STATE = "/var/lib/headframe";
const NAME = "wiring.secret";
const OTHERS = 0o007;
const GROUP = 0o070;
const GROUP_WRITES = 0o020;
const FILE_BYTES_MAX = 4_096;

/** The secret's file cannot be used. The message says what to do. */
export class SecretFileError extends Error {
  override readonly name = "SecretFileError";
}

/** Where the secret is when nothing is configured. */
export function defaultSecretFile(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const me = process.getuid?.();
  const owner = statSync(SYSTEM_STATE, { throwIfNoEntry: false })?.uid;
  if (owner !== undefined && (owner === me || me === 0)) return join(SYSTEM_STATE, NAME);
  const state = env.XDG_STATE_HOME;
  return join(state && isAbsolute(state) ? state : join(homedir(), ".local", "state"), "headframe", NAME);
}

/**
 * Reads the secret; makes it when nobody has.
 *
 * @throws {SecretFileError}
 */
export function openSecret(file = defaultSecretFile()): Buffer {
  try {
    return readSecret(file) ?? makeSecret(file);
  } catch (error) {
    if (error instanceof SecretFileError) throw error;
    throw new SecretFileError(
      `the secret of this installation, ${file}, cannot be used: ${messageOf(error)}; let this user create and read it, or name another file with wiring.secretFile`,
      { cause: error },
    );
  }
}

function readSecret(file: string): Buffer | undefined {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (!stats) return undefined;
  mustBePrivate(file, stats);
  const text = stats.size <= FILE_BYTES_MAX ? readFileSync(file, "utf8").trim() : "";
  if (!/^[0-9a-f]{64}$/i.test(text)) {
    throw new SecretFileError(
      `${file} holds no secret: expected ${2 * SECRET_BYTES} hexadecimal digits. Copy the file of another host of this installation there, or remove it and start all processes again: the first one makes another`,
    );
  }
  return Buffer.from(text, "hex");
}

/** S2. A group may read what root gave it: so an orchestrator mounts secrets. */
function mustBePrivate(file: string, { mode, uid }: Stats): void {
  const me = process.getuid?.();
  if (me === undefined) return; // No such modes on this system.
  if (me !== 0 && uid !== me && uid !== 0) {
    throw new SecretFileError(
      `the secret ${file} belongs to another user (${uid}): run as that user, or name a file of this one with wiring.secretFile`,
    );
  }
  const refused = OTHERS | (uid === 0 && me !== 0 ? GROUP_WRITES : GROUP);
  if ((mode & refused) !== 0) {
    throw new SecretFileError(
      `others may read or change the secret ${file}: change its mode (chmod 600), and if they may have read it, replace it and start all processes again`,
    );
  }
}

/** S1 */
function makeSecret(file: string): Buffer {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${process.pid}-${randomBytes(6).toString("hex")}`;
  writeNew(
    temporary,
    `${randomBytes(SECRET_BYTES).toString("hex")}
`,
  );
  try {
    linkSync(temporary, file);
  } catch (error) {
    // Another process was first, and its secret counts. Anything else, a dangling symbolic link too, is for people.
    if (!lstatSync(file, { throwIfNoEntry: false })?.isFile()) throw error;
  } finally {
    unlinkSync(temporary);
  }
  const made = readSecret(file);
  if (!made) throw new SecretFileError(`the secret ${file} vanished as soon as it was made: what removes it?`);
  return made;
}

/**
 * A command that root gives before the services' first start must not lock them out: the folder's owner is who they run as. All by the
 * descriptor: the folder's owner could put something else under the name meanwhile.
 */
function writeNew(file: string, text: string): void {
  const fd = openSync(file, "wx", 0o600);
  try {
    writeSync(fd, text);
    if (process.getuid?.() === 0) {
      const { uid, gid } = statSync(dirname(file));
      fchownSync(fd, uid, gid);
    }
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
