// Redis is stopped, killed, away, frozen, slow or out of reach; or away while the disk of the spool is full.

import { type Act, lasting, Unfit } from "./scene.js";

/** Milliseconds that a slow Redis takes longer, each way. */
const SLOW_MS = [20, 50, 100, 200] as const;

export const endRedis =
  (name: "SIGTERM" | "SIGKILL"): Act =>
  async (scene) => {
    const { redis } = scene.stage;
    scene.begins(`redis for ${scene.fault.forMs} ms`);
    try {
      await redis.stop(name);
      await lasting(scene);
    } finally {
      await redis.start();
      scene.over();
    }
  };

export const freezeRedis: Act = async (scene) => {
  scene.begins(`redis for ${scene.fault.forMs} ms`);
  scene.stage.redis.freeze();
  await lasting(scene).finally(() => scene.stage.redis.thaw());
  scene.over();
};

export const slowRedis: Act = async (scene) => {
  const { stage, fault } = scene;
  const ms = SLOW_MS[fault.target % SLOW_MS.length] ?? SLOW_MS[0];
  scene.begins(`redis slower by ${ms} ms each way for ${fault.forMs} ms`);
  stage.network.delayMs = ms;
  await lasting(scene).finally(() => {
    stage.network.delayMs = 0;
  });
  scene.over();
};

/** The connections stay and nothing passes; then they break, as they do behind a firewall that restarts. */
export const cutRedis: Act = async (scene) => {
  const { network } = scene.stage;
  scene.begins(`the network to redis for ${scene.fault.forMs} ms`);
  network.hold(true);
  await lasting(scene).finally(() => {
    if (scene.fault.target % 2 === 0) network.cut();
    network.hold(false);
  });
  scene.over();
};

/** Shares can be kept nowhere: none may be answered `true`, and nobody may be let go for it. */
export const fillDisk: Act = async (scene) => {
  const { redis, disk } = scene.stage;
  if (!disk) throw new Unfit("the spool has no disk of its own");
  scene.begins(`the spool's disk, with redis away, for ${scene.fault.forMs} ms`);
  try {
    await disk.fill();
    await redis.stop("SIGTERM");
    await lasting(scene);
  } finally {
    await disk.empty();
    await redis.start();
    scene.over();
  }
};
