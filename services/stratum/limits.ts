// Which difficulties a connection may have, and with which it begins: by listener, by user agent, by the miner's own wish.
//
// Pure. A wish comes from the password (`x,d=1024`), mining.suggest_difficulty, mining.suggest_target or BIP 310's
// minimum-difficulty; it is honoured within the limits and never refused. It is where the connection begins, and its floor: whoever
// names a difficulty knows a device that is tuning itself, paused or behind a proxy better than its silence does.
//
//   L1. Difficulties from 1 up are whole numbers: widespread firmware reads 1.95 as 1, and half of its shares would be too low.

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

/** L1: rounded up, so that what a miner asked for at least is kept. */
export const within = ({ floor, ceiling }: Limits, wanted: number): Difficulty => {
  const whole = wanted >= 1 ? Math.ceil(wanted) : wanted;
  return Math.min(Math.max(whole, floor), ceiling) as Difficulty;
};

/**
 * The option `d=` of a password (`diff=` and capitals do as well), between commas, semicolons, ampersands or spaces: a number as
 * people write one, `1024`, `.5`, `5e-6`. Undefined when there is none that makes sense.
 */
export function difficultyInPassword(password: string): number | undefined {
  const digits = /(?:^|[,;&\s])d(?:iff)?=(\+?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)(?=$|[,;&\s])/i.exec(password)?.[1];
  const wanted = Number(digits);
  return wanted > 0 && Number.isFinite(wanted) ? wanted : undefined;
}

function definedOnly(rule: { start?: number | undefined; floor?: number | undefined; ceiling?: number | undefined }) {
  return {
    ...(rule.start !== undefined && { start: rule.start }),
    ...(rule.floor !== undefined && { floor: rule.floor }),
    ...(rule.ceiling !== undefined && { ceiling: rule.ceiling }),
  };
}
