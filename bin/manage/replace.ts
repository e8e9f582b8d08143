// Replace: which way of swapping a service has, whoever asks (the command line, the dashboard).
//
//   jobmanager, stratum, reporter, ... --> the manager replaces them one by one (swap.ts)
//   edge, keeper                       --> the keeper hands its clients over (keeper.ts)

import { UsageError } from "../failure.js";
import { alone } from "./alone.js";
import { KEEPER_WATCHER, swapEdge, swapKeeper } from "./keeper.js";
import type { Manager } from "./manager.js";
import { type SwapOptions, type SwapReport, swapRolling } from "./swap.js";

export const ROLLING = ["jobmanager", "stratum", "reporter"] as const;
/** Replaced by the keeper itself, which alone can hand clients over. */
export const HANDED_OVER = ["edge", "keeper"] as const;
export const SWAPPABLE = [...ROLLING, ...HANDED_OVER] as const;

export const isHandedOver = (service: string): boolean => HANDED_OVER.some((name) => name === service);

/** Whose instances a swap is judged by; undefined: all of them, as a watcher need not have its service's name. */
export const judgedBy = (service: string): string | undefined => (isHandedOver(service) ? "edge" : undefined);

/**
 * Puts new instances in the place of the old ones.
 *
 * @param change New options of the watcher (`cmd`, `env`); only for those that the manager replaces.
 * @throws {Error} when somebody else is changing it.
 * @throws {UsageError} when this manager does not run the service, or cannot change it so.
 */
export async function replaceService(
  service: string,
  manager: Manager,
  shared: Pick<SwapOptions, "instances" | "tell">,
  change?: object,
): Promise<SwapReport> {
  const watcher = isHandedOver(service) ? KEEPER_WATCHER : service;
  const watchers = await manager.watchers();
  if (!watchers.includes(watcher)) {
    throw new UsageError(`the manager at ${manager.endpoint} runs no ${watcher}; it runs ${watchers.join(", ")}`);
  }
  if (isHandedOver(service) && change) {
    throw new UsageError(
      `${service} is started again by the keeper's own command line: --cmd and --env are for the others`,
    );
  }
  return alone(manager.endpoint, watcher, () => {
    if (service === "edge") return swapEdge({ manager, ...shared });
    if (service === "keeper") return swapKeeper({ manager, ...shared });
    return swapRolling({ manager, watcher: service, service, ...(change && { options: change }), ...shared });
  });
}
