// Reporter: takes shares into the log once each, and knows what was counted from them.
//
//   stratum --> in-shares --> recording --> out-redis --> Redis          out-archive: what leaves the log
//                                      \--> out-spool --> disk, while Redis is away
//   dashboards, bin/ <-- pool, workers, blocks, rounds (out-readings), shares (out-tail) and live pushes

import { type BlockRecord, reporter, SHARES_MAX, type Share } from "../../lib/contracts/index.js";
import type { OpenService } from "../../lib/wiring/index.js";
import { answerShares, toldOf } from "./in-shares.js";
import { Archiver } from "./out-archive.js";
import { Readings } from "./out-readings.js";
import { ShareStore } from "./out-redis.js";
import { Spool } from "./out-spool.js";
import { ShareTail } from "./out-tail.js";
import { Recording } from "./recording.js";
import type { Settings } from "./settings.js";

export const open: OpenService<Settings> = async (house, settings) => {
  const { cluster, metrics, log } = house;
  const redis = house.redis.shares;
  const { directory, bytesMax, patienceMs } = settings.spool;
  const store = new ShareStore(redis, cluster, settings);
  let recording: Recording | undefined;
  const onAdopted = () => recording?.found();
  const spool = await Spool.open({ directory, bytesMax, cluster, log, metrics, onAdopted });
  // Until somebody can be told.
  let tell: { recorded(shares: Share[]): void; block(block: BlockRecord): void } | undefined;
  recording = new Recording({
    ...{ ledger: store, spool, patienceMs, log, metrics },
    onRecorded(credited) {
      for (let at = 0; at < credited.length; at += SHARES_MAX)
        tell?.recorded(credited.slice(at, at + SHARES_MAX).map(({ share }) => share));
    },
    onBlock(report, outcome) {
      const told = toldOf(report, outcome);
      if (told) metrics.count("reporter.blocks", 1, { status: told.status });
      if (told) tell?.block(told);
    },
  });
  const lost = () => recording?.lost();
  redis.on("close", lost);
  const readings = new Readings(redis, cluster);
  const tail = new ShareTail(redis, cluster);
  const implementation = answerShares({
    store,
    recording,
    spool,
    spoolBytesMax: bytesMax,
    readings,
    tail,
    metrics,
    log,
  });
  const hosted = await house.nexus.host(reporter, implementation);
  tell = {
    recorded: (shares) => hosted.push("recorded", { shares }),
    block: (block) => hosted.push("block", block),
  };
  const archiver = Archiver.open({ redis, cluster, settings, log, metrics, holder: hosted.instance.id });
  return {
    async drain(timeoutMs) {
      const begun = performance.now();
      await hosted.drain(timeoutMs);
      await recording?.drain(Math.max(0, timeoutMs - (performance.now() - begun)));
    },
    async close() {
      redis.off("close", lost);
      await hosted.close();
      await recording?.close();
      await spool?.close();
      await archiver.close();
    },
  };
};
