// Which difficulties a connection may have, and with which it begins: by listener, by user agent, by the miner's own wish.
//
// Pure. A wish comes from the password (`x,d=1024`), mining.suggest_difficulty, mining.suggest_target or BIP 310's
// minimum-difficulty; it is honoured within the limits and never refused.

import type { Difficulty } from "../../lib/contracts/index.js";
import type { ListenerRules, Settings } from "./settings.js";

export interface Limits {
  readonly start: Difficulty;
  readonly floor: Difficulty;
  readonly ceiling: Difficulty;
}

/** The rules of a listener; `default`'s where it has none of its own. */
export function rulesOf(settings: Settings, listener: string): ListenerRules | undefined {
  return Object.hasOwn(settings.listeners, listener) ? settings.listeners[listener] : settings.listeners.default;
}

export function limitsOf(rules: ListenerRules, agent: string): Limits {
  const lower = agent.toLowerCase();
  const rule = rules.agents.find(({ contains }) => lower.includes(contains.toLowerCase()));
  const { start, floor, ceiling } = { ...rules.difficulty, ...definedOnly(rule ?? {}) };
  // A rule may give only one of the three: then it is right, and the others give way.
  const top = Math.max(floor, ceiling) as Difficulty;
  return { start: Math.min(Math.max(start, floor), top) as Difficulty, floor: floor as Difficulty, ceiling: top };
}

export const within = ({ floor, ceiling }: Limits, wanted: number): Difficulty =>
  Math.min(Math.max(wanted, floor), ceiling) as Difficulty;

/** The `d=` option of a password, between commas, semicolons or spaces; undefined when there is none that makes sense. */
export function difficultyInPassword(password: string): number | undefined {
  const digits = /(?:^|[,;\s])d=(\d{1,15}(?:\.\d{1,15})?)(?=$|[,;\s])/.exec(password)?.[1];
  const wanted = digits === undefined ? 0 : Number(digits);
  return wanted > 0 ? wanted : undefined;
}

function definedOnly(rule: { start?: number | undefined; floor?: number | undefined; ceiling?: number | undefined }) {
  return {
    ...(rule.start !== undefined && { start: rule.start }),
    ...(rule.floor !== undefined && { floor: rule.floor }),
    ...(rule.ceiling !== undefined && { ceiling: rule.ceiling }),
  };
}
