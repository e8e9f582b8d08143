// The acts: how each kind of fault is done.

import type { KindName } from "../kinds.js";
import { freezeDaemon, killDaemon } from "./daemons.js";
import { freezeEdge, handoverEdge, killEdge, killEdges, killHandover, killStandby, swapKeeper } from "./edges.js";
import { drain, killController, reloadHaproxy, swap, swapBroken } from "./manage.js";
import { cutNetwork, slowNetwork } from "./network.js";
import { end, freeze } from "./processes.js";
import { cutRedis, endRedis, fillDisk, freezeRedis, slowRedis } from "./redis.js";
import type { Act } from "./scene.js";

export { type Act, NotBack, NUMBERS, type Scene, Unfit, until, whole } from "./scene.js";

export const ACTS: Readonly<Record<KindName, Act>> = {
  "kill-stratum": end("stratum", "SIGKILL"),
  "kill-jobmanager": end("jobmanager", "SIGKILL"),
  "kill-reporter": end("reporter", "SIGKILL"),
  "stop-stratum": end("stratum", "SIGTERM"),
  "stop-jobmanager": end("jobmanager", "SIGTERM"),
  "stop-reporter": end("reporter", "SIGTERM"),
  "freeze-stratum": freeze("stratum"),
  "freeze-jobmanager": freeze("jobmanager"),
  "freeze-reporter": freeze("reporter"),
  "swap-stratum": swap("stratum"),
  "swap-jobmanager": swap("jobmanager"),
  "swap-reporter": swap("reporter"),
  "drain-stratum": drain("stratum"),
  "drain-jobmanager": drain("jobmanager"),
  "drain-reporter": drain("reporter"),
  "swap-broken-stratum": swapBroken("stratum"),
  "swap-broken-jobmanager": swapBroken("jobmanager"),
  "swap-broken-reporter": swapBroken("reporter"),
  "kill-edge": killEdge,
  "kill-standby": killStandby,
  "kill-edges": killEdges,
  "freeze-edge": freezeEdge,
  "handover-edge": handoverEdge,
  "kill-handover": killHandover,
  "swap-keeper": swapKeeper,
  "reload-haproxy": reloadHaproxy,
  "kill-controller": killController,
  "restart-redis": endRedis("SIGTERM"),
  "kill-redis": endRedis("SIGKILL"),
  "outage-redis": endRedis("SIGTERM"),
  "freeze-redis": freezeRedis,
  "slow-redis": slowRedis,
  "cut-redis": cutRedis,
  "disk-full": fillDisk,
  "cut-network": cutNetwork,
  "slow-network": slowNetwork,
  "kill-daemon": killDaemon,
  "freeze-daemon": freezeDaemon,
};
