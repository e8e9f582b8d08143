// The network between two hosts: the far one, on which one of two stratum, jobmanager and reporter runs, is cut off, or its link
// is too narrow for what goes over it.

import type { Far } from "../far.js";
import type { Stage } from "../stage.js";
import { type Act, back, lasting, NUMBERS, type Scene, Unfit, whole } from "./scene.js";

const SERVICES = Object.keys(NUMBERS);

/** Nothing passes and nobody is told: no connection breaks before somebody's patience does. */
export const cutNetwork: Act = async (scene) => {
  const far = farHost(scene);
  scene.begins(`the far host (${told(scene.stage, far)}) for ${scene.fault.forMs} ms`);
  await far.cut(true);
  await lasting(scene).finally(() => far.cut(false));
  scene.over();
  await allBack(scene);
};

/** Packets queue at both ends of the link, and are late or lost. */
export const slowNetwork: Act = async (scene) => {
  const far = farHost(scene);
  scene.begins(`the link to the far host (${told(scene.stage, far)}) for ${scene.fault.forMs} ms`);
  await far.narrow(true);
  await lasting(scene).finally(() => far.narrow(false));
  scene.over();
  await allBack(scene);
};

const allBack = (scene: Scene): Promise<void> =>
  back("every service is whole again", scene, async () => {
    const { stage } = scene;
    if (!SERVICES.every((service) => whole(stage, service))) return false;
    const lists = await Promise.all(SERVICES.map((service) => stage.instances(service).catch(() => [])));
    return lists.every((list) => list.filter(({ state }) => state === "ready").length >= 2);
  });

/** C1 promises nothing to a service that has no instance left on this side. */
function farHost({ stage }: Scene): Far {
  const { far } = stage;
  if (!far) throw new Unfit("there is no far host");
  const alone = SERVICES.filter((service) => stage.ready(service).every((pid) => far.has(pid)));
  if (alone.length > 0) throw new Unfit(`every ${alone.join(" and ")} is on the far host just now`);
  if (told(stage, far) === "") throw new Unfit("nothing is on the far host just now");
  return far;
}

const told = (stage: Stage, far: Far): string =>
  SERVICES.flatMap((service) =>
    stage.ready(service).flatMap((pid) => (far.has(pid) ? [`${service} ${pid}`] : [])),
  ).join(", ");
