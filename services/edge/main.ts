// edge: gives every client's lines to a backend and the backend's answers to the client, and survives the backends.
//
//   keeper --> [in-keeper] --> Clients --> Switchboard --> [out-backend] --> backends (any `lineBackend`)
//
// It knows nothing of what the lines mean. Under a keeper, ending this process disconnects nobody: asked to drain, it hands
// its clients over to a successor; killed, the keeper gives them to the next one.

import { edge, lineBackend } from "../../lib/contracts/index.js";
import type { InstanceId, OpenService } from "../../lib/wiring/index.js";
import type { Connection, HeldLine } from "./connection.js";
import { Clients } from "./in-clients.js";
import { KEEPER, KeeperLink, keeperEpoch, keeperMeta, standsBy, tellKeeper } from "./in-keeper.js";
import { listen, NOBODY } from "./in-listen.js";
import { Counters } from "./metrics.js";
import { BackendLink, TICKS_PER_SECOND } from "./out-backend.js";
import { certifyDeath } from "./out-certificates.js";
import { type Settings, switchboardLimits } from "./settings.js";
import { Switchboard } from "./switchboard.js";

const GAUGES_MS = 1_000;
/** Bytes of a line in the log: enough to find what is wrong with it, too few to fill a disk. */
const POISON_SHOWN = 1_024;

export const open: OpenService<Settings> = async (house, settings) => {
  const epoch = keeperEpoch();
  const standby = epoch !== undefined && standsBy();
  const counters = new Counters(house.metrics);
  const { count } = counters;
  const hooks = {
    wake: (id: InstanceId) => backends.wake(id),
    probe: (id: InstanceId) => backends.probe(id),
    count,
    nowMs: () => performance.now(),
    numbered: ({ facts: { connection, remoteAddress } }: Connection, { number, bytes }: HeldLine) => {
      if (!house.log.isLevelEnabled("debug")) return; // Of every line: no object is made for nobody.
      house.log.debug({ connection, line: number, address: remoteAddress, bytes: bytes.length }, "line came");
    },
    expelled: ({ facts, lines }: Connection, why: "died" | "threw") =>
      house.log.error(
        {
          ...facts,
          line: Buffer.from(lines[0]?.bytes ?? [])
            .toString("latin1")
            .slice(0, POISON_SHOWN),
        },
        why === "died"
          ? `a client was closed: each ${settings.backend} instance that got its line died of it; keep the line for its developers`
          : `a client was closed: each ${settings.backend} instance that got its line threw on it, or never answered; its log has the stack`,
      ),
  };
  const switchboard = new Switchboard(epoch ?? 0, switchboardLimits(settings, TICKS_PER_SECOND), hooks);
  const client = house.nexus.client(lineBackend(settings.backend));
  const backends: BackendLink = new BackendLink({
    client,
    switchboard,
    eventsTimeoutMs: settings.eventsTimeoutMs,
    log: house.log,
    onReach: (reaches) => {
      if (epoch !== undefined) void tellKeeper({ kind: "reach", reaches });
    },
    count,
  });
  const clients = new Clients(switchboard, settings, count, epoch === undefined ? NOBODY : KEEPER, house.log);
  const hosted = await house.nexus.host(
    edge,
    { status: () => ({ ...switchboard.status(), counters: counters.totals }) },
    {
      announce: epoch === undefined, // Under a keeper when that has found it fit to serve.
      meta: { backend: settings.backend, epoch: String(epoch ?? 0), ...keeperMeta(settings.trustedProxies) },
    },
  );
  const keeper =
    epoch === undefined
      ? undefined
      : new KeeperLink({
          clients,
          backends,
          slice: settings.handoverSlice,
          log: house.log,
          standby,
          onServe: () => void hosted.announce(), // Clients do not wait for it.
          onDied: (dead) => void certifyDeath(house, dead),
        });
  const server = keeper || !settings.listen ? undefined : await listen(settings.listen, clients);
  const gauges = setInterval(() => {
    if (keeper?.standingBy) return; // Its zeros would stand beside the serving edge's figures.
    const { connections, unacknowledgedLines } = switchboard.status();
    house.metrics.gauge("edge.connections", connections);
    house.metrics.gauge("edge.unacknowledgedLines", unacknowledgedLines);
  }, GAUGES_MS);

  return {
    async drain(timeoutMs) {
      server?.close();
      if (keeper && !keeper.stopping) return keeper.leave(timeoutMs);
      await clients.endAll(timeoutMs);
      await backends.flushed(timeoutMs);
    },
    async close() {
      clearInterval(gauges);
      server?.close();
      keeper?.close(); // Before the sockets: the keeper must not take their end for the clients'.
      clients.destroyAll();
      await backends.close();
      await hosted.close();
    },
  };
};
