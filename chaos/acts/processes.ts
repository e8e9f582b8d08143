// One process of a service is killed, told to stop, or stands still; the process manager has another one in its place.

import { type Act, back, frozen, until, victim, whole } from "./scene.js";

/** One process gets a signal and is replaced. */
export const end =
  (service: string, name: NodeJS.Signals): Act =>
  async (scene) => {
    const pid = victim(scene, service);
    scene.begins(`${service} ${pid}`);
    process.kill(pid, name);
    if (name === "SIGKILL") scene.over();
    await until(`${service} ${pid} is gone`, scene.signal, () => !scene.stage.ready(service).includes(pid));
    scene.over();
    await back(`${service} is whole again`, scene, () => whole(scene.stage, service));
  };

export const freeze =
  (service: string): Act =>
  async (scene) => {
    const pid = victim(scene, service);
    scene.begins(`${service} ${pid} for ${scene.fault.forMs} ms`);
    await frozen(pid, scene);
    await back(`${service} is whole again`, scene, () => whole(scene.stage, service));
  };
