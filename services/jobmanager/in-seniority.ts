// Seniority: which of the jobmanagers does what only one needs to do. The oldest one that is ready, as discovery has them.
//
//   discovery --> watchSeniority --> in-work (long polls), out-chain (blocks that nobody follows)
//
// Two of them may think so for a moment, or none, while discovery settles: nothing that hangs on it may be wrong then, only slower
// or done twice.

import type { JobmanagerContract } from "../../lib/contracts/index.js";
import type { Client, InstanceId } from "../../lib/wiring/index.js";

/** Tells every change; we begin as a junior. @returns what ends it. */
export function watchSeniority(
  jobmanagers: Pick<Client<JobmanagerContract>, "watch">,
  self: InstanceId,
  onChange: (senior: boolean) => void,
): () => void {
  let senior = false;
  return jobmanagers.watch((instances) => {
    const was = senior;
    senior = instances.find(({ state }) => state === "ready")?.id === self;
    if (senior !== was) onChange(senior);
  });
}
