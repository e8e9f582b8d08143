// What operators do while miners mine: a swap, a drain with replacement, a reload of HAProxy. The same code as the commands'.

import { swapRolling } from "../../bin/manage/swap.js";
import { CircusCallError } from "../../circus/index.js";
import { type Act, back, NotBack, redisAnswers, type Scene, until, victim, whole } from "./scene.js";

const RELOAD_MS = 10_000;
/** Redis may go again at each. */
const ATTEMPTS = 4;
const CONTROLLER = "haproxy-controller";

/** `headframe swap SERVICE`. */
export const swap =
  (service: string): Act =>
  async (scene) => {
    await redisAnswers(scene);
    scene.begins(service);
    await roll(scene, service);
  };

/** Versions that are none: one ends at once, one never gets ready and ends later. */
const BROKEN = ["false", 'sh -c "sleep 2; exit 3"'] as const;

/** `headframe swap SERVICE --cmd BROKEN`: it is taken back, whatever Redis does meanwhile. */
export const swapBroken =
  (service: string): Act =>
  async (scene) => {
    const { stage, fault } = scene;
    const cmd = BROKEN[fault.target % BROKEN.length];
    const before = stage.ready(service);
    scene.begins(`${service}, to \`${cmd}\``);
    const report = await swapRolling({
      ...{ manager: stage.manager, watcher: service, service, options: { cmd } },
      ...{ instances: () => stage.instances(service), tell: () => {} },
    }).finally(() => scene.over());
    if (report.ok) throw new NotBack(`${service} was swapped to \`${cmd}\`, which serves nobody`);
    const left = before.filter((pid) => stage.ready(service).includes(pid));
    if (left.length === 0) throw new NotBack(`no old ${service} stayed when \`${cmd}\` did not get ready`);
    await back(`${service} is whole again`, scene, () => whole(stage, service));
  };

/** `headframe drain INSTANCE --replace`, of the oldest: so its successor comes to its place (place.sh). */
export const drain =
  (service: string): Act =>
  async (scene) => {
    await redisAnswers(scene);
    const [pid] = scene.stage.ready(service);
    scene.begins(`${service} ${pid}`);
    await roll(scene, service, pid);
  };

/** Without Redis a new instance is never ready, so the swap is taken back: its operator gives the command again. */
async function roll(scene: Scene, service: string, pid?: number): Promise<void> {
  const { stage } = scene;
  const one = pid === undefined ? {} : { pid };
  const instances = () => stage.instances(service);
  try {
    for (let attempt = 1; ; attempt++) {
      await redisAnswers(scene);
      const report = await swapRolling({
        ...{ manager: stage.manager, watcher: service, service, ...one },
        ...{ instances, tell: () => {} },
      });
      const gone = pid !== undefined && !stage.ready(service).includes(pid); // Replaced, though Redis went before it was listed.
      if (report.ok || gone) break;
      if (attempt === ATTEMPTS) throw new NotBack(`${service} was not swapped: ${report.reason}`);
    }
  } catch (error) {
    throw error instanceof CircusCallError ? new NotBack(`${service} was not swapped: ${error.message}`) : error;
  } finally {
    scene.over();
  }
  await back(`${service} is whole again`, scene, () => whole(stage, service));
}

export const reloadHaproxy: Act = async (scene) => {
  scene.begins("haproxy");
  await (await scene.stage.pool.haproxy()).reload(RELOAD_MS, scene.signal).finally(() => scene.over());
};

/** HAProxy does without its controller, and the next one takes over what it finds. */
export const killController: Act = async (scene) => {
  const pid = victim(scene, CONTROLLER);
  scene.begins(`${CONTROLLER} ${pid}`);
  process.kill(pid, "SIGKILL");
  scene.over();
  await until("the controller is gone", scene.signal, () => !scene.stage.ready(CONTROLLER).includes(pid));
  await back("the controller is back", scene, () => whole(scene.stage, CONTROLLER));
};
