// One of the two coin daemons dies or stands still.

import { type Act, lasting, NotBack, type Scene } from "./scene.js";

export const killDaemon: Act = async (scene) => {
  const daemon = oneDaemon(scene);
  await daemon.stop();
  await lasting(scene).finally(() => daemon.start());
  scene.over();
};

export const freezeDaemon: Act = async (scene) => {
  const daemon = oneDaemon(scene);
  daemon.freeze(true);
  await lasting(scene).finally(() => daemon.freeze(false));
  scene.over();
};

function oneDaemon(scene: Scene) {
  const { stage, fault } = scene;
  const at = fault.target % stage.daemons.length;
  const daemon = stage.daemons[at];
  if (!daemon) throw new NotBack("there is no daemon");
  scene.begins(`daemon-${at + 1} for ${fault.forMs} ms`);
  return daemon;
}
