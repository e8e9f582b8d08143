// A line that every backend dies of, with real processes.

import { expect, test } from "@jest/globals";
import { answeredUpTo, askers } from "../kit/asker.js";
import { openTestHouse } from "../kit/house.js";
import { startKeeper, startLineBackend } from "../kit/keeper.js";
import { LineBackend } from "../kit/line-backend.js";
import { LineClient } from "../kit/line-client.js";
import { startRedis } from "../kit/redis.js";
import { until } from "../kit/until.js";

const TEST_MS = 120_000;

test(
  "a line that kills every backend ends its own client after a few deaths, and no other client",
  async () => {
    const redis = await startRedis();
    let deaths = 0;
    let over = false;
    const keepAlive = async (): Promise<void> => {
      while (!over) {
        const backend = await startLineBackend(redis);
        await until("it has ended, or the test has", TEST_MS, () => over || backend.child.signalCode !== null);
        if (!over) deaths++;
      }
    };
    const running = [keepAlive(), keepAlive()];
    const keeper = await startKeeper({ redis });
    const clients = await askers(keeper.port, 10);
    for (const client of clients) client.start(20);
    await until("the load runs", 20_000, () => clients.every(({ client }) => client.lines.length > 5));
    const poisoner = await LineClient.connect(keeper.port);
    poisoner.send("{die}");
    await until("its client is closed", 60_000, () => poisoner.closed);
    await until("the others go on", 20_000, () => answeredUpTo(clients, 3));
    await Promise.all(clients.map((client) => client.stop()));
    over = true;
    await Promise.all(running);
    if (process.env.FIGURES) process.stderr.write(`poison: ${deaths} deaths\n`);
    expect(deaths).toBeGreaterThanOrEqual(3);
    expect(deaths).toBeLessThanOrEqual(7); // 3 + log2 of eleven clients.
    for (const client of clients) client.expectAllOnce();
  },
  TEST_MS,
);

for (const [line, what] of [
  ["{throw}", "on which every backend's handler throws"],
  ["{hang}", "for which every backend's handler hangs"],
] as const) {
  test(
    `S5 a line ${what} ends its own client; nobody else is disconnected, and each of their lines is answered once`,
    async () => {
      const redis = await startRedis();
      const house = await openTestHouse(redis);
      await Promise.all([LineBackend.host(house.nexus), startLineBackend(redis)]);
      const keeper = await startKeeper({ redis, edge: { eventsTimeoutMs: 500 } });
      const clients = await askers(keeper.port, 10);
      for (const client of clients) client.start(20);
      await until("the load runs", 20_000, () => clients.every(({ client }) => client.lines.length > 5));
      const poisoner = await LineClient.connect(keeper.port);
      poisoner.send(line);
      await until("its client is closed", 30_000, () => poisoner.closed);
      await until("the others go on", 20_000, () => answeredUpTo(clients, 3));
      await Promise.all(clients.map((client) => client.stop()));
      for (const client of clients) client.expectAllOnce();
    },
    TEST_MS,
  );
}
