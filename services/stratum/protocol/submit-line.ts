// submit-line: mining.submit as miners write it, read in one go. Nearly every line of a busy pool is one.
//
//   line --one of three patterns--> Submit     anything else: undefined, and parse.ts reads it as JSON
//
//   H1. What is read here is read exactly as parse.ts would: the patterns let through only lines whose every value is in order and
//       whose text means in JSON what it shows (printable ASCII, no escapes).

import type { Submit } from "./requests.js";

const SPACE = " ?";
/** As JSON writes a whole number that is exact in every language. */
const ID = `"id":${SPACE}(?<id>0|[1-9][0-9]{0,14})`;
const METHOD = `"method":${SPACE}"mining\\.submit"`;
const TEXT = "[ !#-\\[\\]-~]";
const HEX = "[0-9a-fA-F]";
const VALUES = [`${TEXT}{1,256}`, `${TEXT}{1,32}`, `${HEX}{2,16}`, `${HEX}{1,8}`, `${HEX}{1,8}`];
const NEXT = `,${SPACE}`;
const PARAMS = `"params":${SPACE}\\[${VALUES.map((value) => `"(${value})"`).join(NEXT)}(?:${NEXT}"(${HEX}{1,8})")?\\]`;

/** cgminer and its children, minerd, and most others; by the first letter of the line's first name. */
const ORDERS = new Map(
  [
    ["p", PARAMS, ID, METHOD],
    ["m", METHOD, PARAMS, ID],
    ["i", ID, METHOD, PARAMS],
  ].map(([letter = "", ...parts]) => {
    const idFirst = parts[0] === ID;
    const pattern = new RegExp(`^\\{${parts.join(NEXT).replace("?<id>", "")}\\}$`);
    return [letter.charCodeAt(0), { pattern, id: idFirst ? 1 : 7, params: idFirst ? 2 : 1 }];
  }),
);
const LETTER_AT = 2;

export interface SubmitLine {
  /** JSON text. */
  readonly id: string;
  readonly request: Submit;
}

/** @param text a byte a character. */
export function readSubmitLine(text: string): SubmitLine | undefined {
  const order = ORDERS.get(text.charCodeAt(LETTER_AT));
  const found = order?.pattern.exec(text);
  if (!order || !found) return undefined;
  const at = order.params;
  const [worker, job, extranonce2, time, nonce] = [
    found[at],
    found[at + 1],
    found[at + 2],
    found[at + 3],
    found[at + 4],
  ];
  const [id, bits] = [found[order.id], found[at + 5]];
  if (id === undefined || worker === undefined || job === undefined || extranonce2 === undefined) return undefined;
  if (time === undefined || nonce === undefined) return undefined;
  const request = {
    method: "submit",
    worker,
    job,
    extranonce2: extranonce2.toLowerCase(),
    time: Number.parseInt(time, 16),
    nonce: Number.parseInt(nonce, 16),
  } as const;
  return { id, request: bits === undefined ? request : { ...request, versionBits: Number.parseInt(bits, 16) } };
}
