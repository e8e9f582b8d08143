import { expect, test } from "@jest/globals";
import { openTestHouse } from "../kit/house.js";
import { startKeeper, startLineBackend } from "../kit/keeper.js";
import { LineBackend } from "../kit/line-backend.js";
import { LineClient } from "../kit/line-client.js";
import { startRedis } from "../kit/redis.js";
import { until } from "../kit/until.js";

/** A client that goes on asking; what it saw is looked at in the end. */
class Asker {
  sent = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(readonly client: LineClient, readonly name: string) {}

  start(everyMs: number): void {
    this.#timer = setInterval(() => this.client.send(`{${this.name}-${++this.sent}}`), everyMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await until(`all ${this.sent} lines of ${this.name} are answered`, 10_000, () => this.client.lines.length >= this.sent);
  }

  /** Every line answered exactly once, in order, with a count that had no hole. */
  expectAllOnce(): void {
    const expected = Array.from({ length: this.sent }, (_, i) => `{${this.name.toUpperCase()}-${i + 1}}#${i + 1}`);
    expect(this.client.lines).toEqual(expected);
    expect(this.client.closed).toBe(false);
  }
}

async function askers(port: number, count: number): Promise<Asker[]> {
  return Promise.all(Array.from({ length: count }, async (_, i) => new Asker(await LineClient.connect(port), `c${i}`)));
}

test("a backend killed -9 under load: nobody is disconnected, every line is answered exactly once", async () => {
  const redis = await startRedis();
  const [first, second] = await Promise.all([startLineBackend(redis), startLineBackend(redis)]);
  const keeper = await startKeeper({ redis });
  const clients = await askers(keeper.port, 20);
  for (const client of clients) client.start(5);
  await until("the load runs", 10_000, () => clients.every(({ client }) => client.lines.length > 20));
  await first.end("SIGKILL");
  await until("clients go on", 5_000, () => clients.every(({ client, sent }) => client.lines.length >= sent - 20));
  const third = await startLineBackend(redis);
  await second.end("SIGTERM");
  await until("all are answered by the third", 5_000, () => clients.every(({ client, sent }) => client.lines.length >= sent - 5));
  await Promise.all(clients.map((client) => client.stop()));
  for (const client of clients) client.expectAllOnce();
  expect(third.child.exitCode).toBeNull();
}, 60_000);

test("an edge killed -9 disconnects nobody", async () => {
  const redis = await startRedis();
  const house = await openTestHouse(redis);
  await LineBackend.host(house.nexus);
  const keeper = await startKeeper({ redis });
  const clients = await askers(keeper.port, 20);
  for (const { client } of clients) expect(await client.ask("{one}")).toBe("{ONE}#1");
  process.kill(keeper.edgePid, "SIGKILL");
  await keeper.edgeReady(1);
  for (const { client } of clients) {
    expect(await client.ask("{two}")).toBe("{TWO}#1"); // The state went with the edge; what must last longer is in Redis.
    expect(JSON.parse(await client.ask("{who}"))).toMatchObject({ adopted: true, listener: "direct" });
    expect(client.closed).toBe(false);
  }
}, 60_000);
