// Reporter: takes shares into the log once each, and knows what was counted from them.
//
//   stratum --> in-shares --> out-redis --> Redis          out-archive: what leaves the log
//   dashboards, bin/ <-- pool, workers, blocks, rounds (out-readings) and live pushes

import { type BlockRecord, reporter, type Share } from "../../lib/contracts/index.js";
import type { OpenService } from "../../lib/wiring/index.js";
import { answerShares } from "./in-shares.js";
import { Archiver } from "./out-archive.js";
import { Readings } from "./out-readings.js";
import { ShareStore } from "./out-redis.js";
import type { Settings } from "./settings.js";

export const open: OpenService<Settings> = async (house, settings) => {
  const { cluster, metrics, log } = house;
  const redis = house.redis.shares;
  // Nobody calls before host() has resolved, so nothing is recorded before there is somebody to tell.
  let tell: { recorded(shares: Share[]): void; block(block: BlockRecord): void } | undefined;
  const implementation = answerShares({
    store: new ShareStore(redis, cluster, settings),
    readings: new Readings(redis, cluster),
    metrics,
    onRecorded: (shares) => tell?.recorded(shares),
    onBlock: (block) => tell?.block(block),
  });
  const hosted = await house.nexus.host(reporter, implementation);
  tell = {
    recorded: (shares) => hosted.push("recorded", { shares }),
    block: (block) => hosted.push("block", block),
  };
  const archiver = Archiver.open({ redis, cluster, settings, log, metrics, holder: hosted.instance.id });
  return {
    drain: (timeoutMs) => hosted.drain(timeoutMs),
    async close() {
      await hosted.close();
      await archiver.close();
    },
  };
};
