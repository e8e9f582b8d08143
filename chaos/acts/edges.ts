// Who holds the clients' sockets: an edge dies, stands still, or gives them to a fresh one; a keeper to its successor.

import { setTimeout as delay } from "node:timers/promises";
import { swapEdge, swapKeeper as upgrade } from "../../bin/manage/keeper.js";
import { type Act, back, frozen, NotBack, redisAnswers, type Scene, until } from "./scene.js";

/** Of an upgrade: Redis may go again at each. */
const ATTEMPTS = 4;
/** After an edge was killed, or stood still, until the next fault may befall its successor. */
const EDGE_SETTLES_MS = 3_000;

/** The one that serves and the one that stands by; waits until there are both. */
async function edgePair({ stage, signal }: Scene): Promise<readonly [number, number]> {
  let pair: readonly [number, number] = [0, 0];
  await until("an edge serves and another stands by", signal, async () => {
    const [serving, all] = [await stage.edge(), await stage.edges()];
    const [other, ...more] = all.filter((pid) => pid !== serving);
    if (serving === undefined || other === undefined || more.length > 0) return false;
    pair = [serving, other];
    return stage.stands(other);
  });
  return pair;
}

/** These have ended. The next fault of the family waits for a pair by itself. */
async function gone(pids: readonly number[], { stage, signal }: Scene): Promise<void> {
  await until("the edge has ended", signal, async () => {
    const edges = await stage.edges();
    return !pids.some((pid) => edges.includes(pid));
  });
  await delay(EDGE_SETTLES_MS, undefined, { signal });
}

export const killEdge: Act = async (scene) => {
  const [serving] = await edgePair(scene);
  scene.begins(`edge ${serving}`);
  process.kill(serving, "SIGKILL");
  scene.over();
  await gone([serving], scene);
};

export const killStandby: Act = async (scene) => {
  const [, standby] = await edgePair(scene);
  scene.begins(`the edge that stands by, ${standby}`);
  process.kill(standby, "SIGKILL");
  scene.over();
  await gone([standby], scene);
};

/** The hardest death: nobody stands by any more. */
export const killEdges: Act = async (scene) => {
  const pair = await edgePair(scene);
  scene.begins(`edges ${pair.join(" and ")}`);
  for (const pid of pair) process.kill(pid, "SIGKILL");
  const another = async () => {
    const serving = await scene.stage.edge();
    return serving !== undefined && !pair.includes(serving);
  };
  await back("another edge serves", scene, another).finally(() => scene.over());
  await gone(pair, scene);
};

export const freezeEdge: Act = async (scene) => {
  const [serving] = await edgePair(scene);
  scene.begins(`edge ${serving} for ${scene.fault.forMs} ms`);
  await frozen(serving, scene);
  await delay(EDGE_SETTLES_MS, undefined, { signal: scene.signal });
};

/** `headframe swap edge`. */
export const handoverEdge: Act = async (scene) => {
  const pair = await edgePair(scene);
  scene.begins(`edge ${pair[0]}`);
  await inPlace("edge", swapEdge, scene);
  await gone(pair, scene);
};

/** Within this time of its beginning one edge of a hand-over is killed: a fresh edge starts, takes over and has the clients. */
const HANDOVER_KILL_MS = 2_000;

/** `headframe swap edge`, in the middle of which the old or the new edge dies: whoever is left serves. */
export const killHandover: Act = async (scene) => {
  const { stage, fault, signal } = scene;
  const pair = await edgePair(scene);
  const [serving] = pair;
  const old = fault.target % 2 === 0;
  scene.begins(`edge ${serving}, and the ${old ? "old" : "new"} one is killed`);
  const swapping = swapEdge({ manager: stage.manager, instances: () => stage.instances("edge"), tell: () => {} });
  const done = swapping.then(
    () => true,
    () => true, // Without Redis there is no report; the deaths below happen all the same.
  );
  try {
    const fresh = async () => (await stage.edges()).find((pid) => !pair.includes(pid));
    await Promise.race([done, until("a new edge starts", signal, async () => (await fresh()) !== undefined)]);
    await delay(fault.target % HANDOVER_KILL_MS, undefined, { signal });
    const victim = old ? serving : await fresh();
    if (victim !== undefined && (await stage.edges()).includes(victim)) process.kill(victim, "SIGKILL");
  } finally {
    scene.over();
  }
  await back("an edge serves", scene, async () => (await stage.edge()) !== undefined);
  await edgePair(scene);
  await done;
  await delay(EDGE_SETTLES_MS, undefined, { signal });
};

/** `headframe swap keeper`: doors, clients and a fresh edge for the successor. */
export const swapKeeper: Act = async (scene) => {
  const { stage, signal } = scene;
  await redisAnswers(scene);
  const pair = await edgePair(scene);
  const { keeper } = stage;
  scene.begins(`keeper ${keeper}`);
  await inPlace("keeper", upgrade, scene);
  await until("the successor is in its place", signal, () => stage.ready("keeper").some((pid) => pid !== keeper));
  await gone(pair, scene);
};

/** Without Redis no fresh edge starts and the old one stays: its operator gives the command again. */
async function inPlace(what: string, command: typeof swapEdge, scene: Scene): Promise<void> {
  const { manager } = scene.stage;
  const instances = () => scene.stage.instances("edge");
  try {
    for (let attempt = 1; ; attempt++) {
      await redisAnswers(scene);
      const report = await command({ manager, instances, tell: () => {} });
      if (report.ok) return;
      if (attempt === ATTEMPTS) throw new NotBack(`the ${what} was not swapped: ${report.reason}`);
    }
  } finally {
    scene.over();
  }
}
