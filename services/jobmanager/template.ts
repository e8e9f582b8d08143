// A block template as a daemon gives it, believed only after it has been looked at.
//
//   daemon --getblocktemplate--> parseTemplate (shape, bounds) --> doubts (sense) --> Template --> job.ts, block.ts
//
//   T1. What does not have the shape, or contradicts itself, is refused with a reason that names the field.
//   T2. A template under a rule that we do not know (`!rule`) is refused: a block built from it could be invalid.
//   T3. Transactions, of which there are thousands while every miner waits, are checked by a loop of our own (plainTransactions). It
//       takes nothing that the schema would not, and whatever it does not take is the schema's to judge and to explain.
//   T4. So is one that demands what we do not do: outputs of the coinbase for others, a signed block, a coinbase of another form.
//   T5. What BIP 22 and 23 leave to the daemon may be absent or null.
//
// Sources: BIP 22, BIP 23, BIP 9 (rules), BIP 145 (segwit), Litecoin Core 0.21 (mweb).

import { z } from "zod";
import { chain } from "../../lib/contracts/index.js";
import { messageOf } from "../../lib/thrown.js";
import { reasonOf } from "./reason.js";

/** A block has 1 MB of non-witness data, and no transaction is smaller than 60 bytes. Larger chains have up to 32 MB. */
const TRANSACTIONS_MAX = 600_000;
const HEX_BLOCK_MAX = 64 * 1_048_576;
const SCRIPT_HEX_MAX = 20_000;
/** Of the 100 bytes that a coinbase script may have; the rest is ours (see coinbase.ts): 6 height, 25 salt and extranonces, 33 tag. */
const AUX_BYTES_MAX = 36;

/** Below it there is no transaction. */
const TRANSACTION_HEX_MIN = 20;

/** How far stratum lets a miner's time run ahead of the job's (services/stratum/jobs.ts). */
const ROLL_AHEAD_SECONDS = 3_600;
/** OP_RETURN, 36 bytes, the mark of BIP 141. */
const COMMITMENT_PREFIX = "6a24aa21a9ed";

const isHex = (text: string): boolean => text.length % 2 === 0 && !/[^0-9a-fA-F]/.test(text);
const HASH = /^[0-9a-fA-F]{64}$/;
const hex = (lengthMax: number) =>
  z.string().max(lengthMax).refine(isHex, "expected hex digits, an even number of them");
const hash = z.string().regex(HASH, "expected 64 hex digits");
const uint32 = z.number().int().min(0).max(0xffff_ffff);

/** Daemons from before segwit have only `hash`, which then is the txid (BIP 145). */
const transaction = z
  .object({
    data: hex(HEX_BLOCK_MAX).min(TRANSACTION_HEX_MIN),
    txid: hash.optional(),
    hash: hash.optional(),
  })
  .transform(({ data, txid, hash: id }, context) => {
    if (txid !== undefined) return id === undefined ? { data, txid } : { data, txid, hash: id };
    if (id !== undefined) return { data, txid: id };
    context.addIssue({ code: "custom", path: ["txid"], message: "expected a txid or, from before segwit, a hash" });
    return z.NEVER;
  });

export const template = z.object({
  version: z.number().int().min(-0x8000_0000).max(0xffff_ffff),
  previousblockhash: hash,
  transactions: z.array(transaction).max(TRANSACTIONS_MAX),
  coinbaseaux: z.record(z.string().max(64), hex(200)).default({}),
  coinbasevalue: z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER),
  longpollid: z.string().max(512).optional(),
  target: hash.optional(),
  /** Absent: miners may not go below curtime. */
  mintime: uint32.optional(),
  /** The greatest time that the daemon takes. */
  maxtime: uint32.optional(),
  curtime: uint32,
  bits: z.string().regex(/^[0-9a-fA-F]{8}$/, "expected 8 hex digits"),
  height: z.number().int().positive().max(0x7fff_ffff),
  rules: z.array(z.string().max(64)).max(64).default([]),
  /** Version bits that must stay set. */
  vbrequired: uint32.default(0),
  default_witness_commitment: hex(SCRIPT_HEX_MAX).optional(),
  mweb: hex(HEX_BLOCK_MAX).optional(),
});
export type Template = z.output<typeof template>;

/** The template, or the reason to refuse it (T1, T2). */
export function parseTemplate(
  value: unknown,
  rules: readonly string[],
): { kind: "template"; template: Template } | { kind: "refused"; reason: string } {
  const demand = demandOf(value);
  if (demand !== undefined)
    return { kind: "refused", reason: `its block template demands what this pool does not do: ${demand}` };
  const said = withoutNulls(value);
  const parsed = quickly(said) ?? template.safeParse(said);
  if (!parsed.success) return { kind: "refused", reason: `its block template is malformed: ${reasonOf(parsed.error)}` };
  const doubt = doubts(parsed.data, rules);
  return doubt === undefined
    ? { kind: "template", template: parsed.data }
    : { kind: "refused", reason: `its block template makes no sense: ${doubt}` };
}

/** T3. Undefined: ask the schema. */
function quickly(value: unknown): { readonly success: true; readonly data: Template } | undefined {
  if (typeof value !== "object" || value === null || !("transactions" in value)) return undefined;
  const transactions = plainTransactions(value.transactions);
  if (!transactions) return undefined;
  const rest = template.safeParse({ ...value, transactions: [] });
  return rest.success ? { success: true, data: { ...rest.data, transactions } } : undefined;
}

/** T3. As the schema gives them; undefined: they are not all of the usual kind. */
function plainTransactions(list: unknown): Template["transactions"] | undefined {
  if (!Array.isArray(list) || list.length > TRANSACTIONS_MAX) return undefined;
  const plain: Template["transactions"] = [];
  for (const it of list) {
    if (typeof it !== "object" || it === null) return undefined;
    const { data, txid, hash: id } = it;
    if (typeof data !== "string" || data.length < TRANSACTION_HEX_MIN || data.length > HEX_BLOCK_MAX) return undefined;
    if (!isHex(data) || typeof txid !== "string" || !HASH.test(txid)) return undefined;
    if (id === undefined) plain.push({ data, txid });
    else if (typeof id === "string" && HASH.test(id)) plain.push({ data, txid, hash: id });
    else return undefined;
  }
  return plain;
}

/**
 * T4. Members that stand for a consensus rule of some coin, by what they ask for. Most daemons name them always and leave them empty
 * when nothing is asked.
 *
 * Sources: Dash Core (masternode, superblock, coinbase_payload), PIVX and its kin (payee), Bitcoin Cash Node and Bitcoin ABC
 * (coinbasetxn.minerfund, stakingrewards), Zcash (founders, fundingstreams, coinbasetxn), Firo (znode), Raptoreum (smartnode, founder),
 * BIP 325 (signet_challenge).
 */
const DEMANDS: Readonly<Record<string, string>> = {
  masternode: "masternode outputs",
  superblock: "superblock outputs",
  payee: "a masternode output",
  payee_amount: "a masternode output",
  znode: "znode outputs",
  smartnode: "smartnode outputs",
  evonode: "evonode outputs",
  founder: "a founder output",
  founders: "founder outputs",
  foundersreward: "founder outputs",
  fundingstreams: "funding stream outputs",
  devfee: "a developer output",
  coinbasedevreward: "a developer output",
  minerfund: "a miner fund output",
  stakingrewards: "a staking output",
  coinbasetxn: "a coinbase of the daemon's own",
  coinbase_payload: "a payload in the coinbase",
  signet_challenge: "a signature in the block",
};

function demandOf(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const found = Object.entries(value).find(([name, it]) => DEMANDS[name] !== undefined && isSaid(it, 0));
  return found && `${DEMANDS[found[0]]} (${found[0]})`;
}

/** Nested no deeper than this: what is deeper counts as said. */
const DEMAND_DEPTH_MAX = 4;

/** Not empty, whatever form the daemon gives to nothing. */
function isSaid(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return Boolean(value);
  return depth >= DEMAND_DEPTH_MAX || Object.values(value).some((it) => isSaid(it, depth + 1));
}

/** T5 */
function withoutNulls(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, it]) => it !== null));
}

function doubts(it: Template, rules: readonly string[]): string | undefined {
  const unknown = it.rules.find((rule) => rule.startsWith("!") && !rules.includes(rule.slice(1)));
  if (unknown !== undefined) return `it demands the rule ${unknown.slice(1)}, which this pool does not know`;
  if (/^0+$/.test(it.previousblockhash)) return "its previousblockhash is zero";
  const aux = Object.values(it.coinbaseaux).reduce((length, value) => length + value.length / 2, 0);
  if (aux > AUX_BYTES_MAX) return `its coinbaseaux has ${aux} bytes, a coinbase has room for ${AUX_BYTES_MAX}`;
  if (it.mintime !== undefined && it.curtime < it.mintime)
    return `its curtime ${it.curtime} lies before its mintime ${it.mintime}`;
  if (it.maxtime !== undefined && it.maxtime < it.curtime + ROLL_AHEAD_SECONDS) {
    return `its maxtime ${it.maxtime} leaves miners less than ${ROLL_AHEAD_SECONDS} s after its curtime ${it.curtime}`;
  }
  return doubtWitness(it) ?? doubtTarget(it);
}

/** Whether blocks carry a witness: not because the daemon offers a commitment, but because segwit is active (BIP 145). */
export const hasSegwit = ({ rules }: Pick<Template, "rules">): boolean =>
  rules.some((rule) => rule === "segwit" || rule === "!segwit");

function doubtWitness(it: Template): string | undefined {
  const commitment = it.default_witness_commitment;
  const hasWitness = it.transactions.some((tx) => tx.hash !== undefined && tx.hash !== tx.txid);
  if (hasWitness && !hasSegwit(it)) return "it has witness transactions, and segwit is not among its rules";
  if (hasWitness && commitment === undefined) return "it has witness transactions but no default_witness_commitment";
  if (commitment !== undefined && !commitment.toLowerCase().startsWith(COMMITMENT_PREFIX)) {
    return `its default_witness_commitment is no output script: it does not begin with ${COMMITMENT_PREFIX}`;
  }
  return undefined;
}

function doubtTarget(it: Template): string | undefined {
  try {
    const target = chain.bitsToTarget(Number.parseInt(it.bits, 16));
    const said = it.target === undefined ? target : BigInt(`0x${it.target}`);
    return target === said ? undefined : `its bits ${it.bits} and its target ${it.target} disagree`;
  } catch (error) {
    return messageOf(error);
  }
}
