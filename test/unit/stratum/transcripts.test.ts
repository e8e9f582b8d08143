// Whole conversations as real miners hold them, line by line.

import { describe, expect, test } from "@jest/globals";
import type { Difficulty } from "../../../lib/contracts/index.js";
import { announcedAs, craftJob, EASY, mine, nameAs, submitLine } from "./craft.js";
import { Instance, Miner } from "./stand-ins.js";

const job = craftJob();
const START = JSON.stringify(EASY.sha256d);
const difficultyLine = `{"id":null,"method":"mining.set_difficulty","params":[${START}]}`;
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

function notifyLine(told: typeof job, clean: boolean, time = told.time): string {
  const prevhash = hex(Buffer.from(told.previousHash).swap32());
  const branch = told.merkleBranch.map(hex);
  const params = [
    nameAs(told),
    prevhash,
    `${hex(told.coinbase1)}0${announcedAs(told).variant}`,
    hex(told.coinbase2),
    branch,
    "20000000",
    "1f0fffff",
    time.toString(16),
    clean,
  ];
  return `{"id":null,"method":"mining.notify","params":${JSON.stringify(params)}}`;
}

function setup(settings = {}) {
  const instance = new Instance(undefined, settings);
  instance.job(job);
  return { instance, miner: new Miner(instance, "tcp/one") };
}

test("minerd: subscribe, authorize, shares with one id for all of them", async () => {
  const { instance, miner } = setup();
  expect(await miner.ask('{"id": 1, "method": "mining.subscribe", "params": ["cpuminer/2.5.1"]}')).toEqual([
    '{"id":1,"result":[[["mining.set_difficulty","tcp/one"],["mining.notify","tcp/one"]],"00000001",8],"error":null}',
    difficultyLine,
    notifyLine(job, true),
  ]);
  expect(await miner.ask('{"id": 2, "method": "mining.authorize", "params": ["alice.rig1", "x"]}')).toEqual([
    '{"id":2,"result":true,"error":null}',
  ]);
  const first = mine(job, "share", {}, "00000001");
  const second = mine(job, "share", { nonce: first.nonce + 1 }, "00000001");
  expect(await miner.ask(submitLine(4, first))).toEqual(['{"id":4,"result":true,"error":null}']);
  expect(await miner.ask(submitLine(4, second))).toEqual(['{"id":4,"result":true,"error":null}']);
  const poor = mine(job, "poor", {}, "00000001");
  expect((await miner.ask(submitLine(4, poor)))[0]).toMatch(
    /^{"id":4,"result":null,"error":\[23,"Low difficulty share: .* of .*",null\]}$/,
  );
  expect(instance.shares.map(({ worker, line, difficulty }) => [worker, line, difficulty])).toEqual([
    ["alice.rig1", 3, EASY.sha256d],
    ["alice.rig1", 4, EASY.sha256d],
  ]);
  expect(instance.rejects).toEqual(["alice.rig1 low-difficulty"]);
  expect(miner.acknowledged).toEqual([1, 2, 3, 4, 5]);
});

test("cgminer: configure first, a password with a difficulty, extranonce.subscribe, a transaction question", async () => {
  const { miner } = setup();
  expect(
    await miner.ask(
      '{"id": 0, "method": "mining.configure", "params": [["version-rolling", "dance"], {"version-rolling.mask": "ffffffff"}]}',
    ),
  ).toEqual([
    '{"id":0,"result":{"version-rolling":true,"version-rolling.mask":"1fffe000","dance":false},"error":null}',
  ]);
  const [reply, , first] = await miner.ask(
    '{"id": 1, "method": "mining.subscribe", "params": ["cgminer/4.12.1", null]}',
  );
  expect(JSON.parse(reply ?? "").result[1]).toBe("00000001");
  const told = await miner.ask(`{"id":2,"method":"mining.authorize","params":["bob","d=1.49e-8"]}`);
  expect(told[0]).toBe('{"id":2,"result":true,"error":null}');
  expect(told[1]).toBe('{"id":null,"method":"mining.set_difficulty","params":[1.49e-8]}');
  const notified = JSON.parse(told[2] ?? "");
  expect(notified.params[0]).toBe(nameAs(job, 1.49e-8 as Difficulty)); // At another difficulty the same job is other work.
  expect(notified.params[2]).not.toBe(JSON.parse(first ?? "").params[2]);
  expect(await miner.ask('{"id": 3, "method": "mining.extranonce.subscribe", "params": []}')).toEqual([
    '{"id":3,"result":true,"error":null}',
  ]);
  expect(await miner.ask('{"id": "txlist", "method": "mining.get_transactions", "params": ["a1"]}')).toEqual([
    '{"id":"txlist","result":[],"error":null}',
  ]);
});

test("an ASIC that rolls versions: bits inside the mask count, others are refused, authorize comes before subscribe", async () => {
  const { instance, miner } = setup();
  expect(await miner.ask('{"id":1,"method":"mining.authorize","params":["alice.rig1",""]}')).toEqual([
    '{"id":1,"result":true,"error":null}',
  ]);
  await miner.ask(
    '{"id":2,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"00ffe000"}]}',
  );
  await miner.ask('{"id":3,"method":"mining.subscribe","params":["Antminer S19/v1"]}');
  const rolled = mine(job, "share", { versionBits: 0x0000_6000 }, "00000001");
  expect(await miner.ask(submitLine(4, rolled))).toEqual(['{"id":4,"result":true,"error":null}']);
  const plain = mine(job, "share", {}, "00000001");
  expect(await miner.ask(submitLine(5, plain))).toEqual(['{"id":5,"result":true,"error":null}']);
  const outside = mine(job, "share", { versionBits: 0x0100_0000 }, "00000001");
  expect(await miner.ask(submitLine(6, outside))).toEqual([
    '{"id":6,"result":null,"error":[20,"Version bits 01000000 outside the mask 00ffe000",null]}',
  ]);
  expect(instance.shares).toHaveLength(2);
});

test("a narrower mask of a new job is told before it", async () => {
  const { instance, miner } = setup();
  await miner.ask(
    '{"id":2,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"ffffffff"}]}',
  );
  await miner.ask('{"id":3,"method":"mining.subscribe","params":[]}');
  const next = craftJob({ id: "b1", tip: 2, height: 101, versionMask: 0x0fff_e000 });
  instance.job(next);
  expect(await miner.hear()).toEqual([
    '{"id":null,"method":"mining.set_version_mask","params":["0fffe000"]}',
    notifyLine(next, true),
  ]);
});

test.each(["before", "after"])(
  "a miner that configured before the first job, and subscribed %s it, is told the narrower mask with it",
  async (when) => {
    const instance = new Instance(undefined, {});
    const miner = new Miner(instance, "tcp/one");
    await miner.ask(
      '{"id":2,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"ffffffff"}]}',
    );
    const first = craftJob({ versionMask: 0x0fff_e000 });
    const subscribe = '{"id":3,"method":"mining.subscribe","params":[]}';
    if (when === "before") await miner.ask(subscribe);
    instance.job(first);
    const heard = when === "before" ? await miner.hear() : await miner.ask(subscribe);
    const [mask, ...rest] = heard.filter((line) => /"method":"mining.(set_version_mask|notify)"/.test(line));
    expect(mask).toBe('{"id":null,"method":"mining.set_version_mask","params":["0fffe000"]}');
    expect(rest).toEqual([notifyLine(first, true)]);
  },
);

describe("refusals", () => {
  async function mining() {
    const { instance, miner } = setup();
    await miner.ask('{"id":1,"method":"mining.subscribe","params":[]}');
    await miner.ask('{"id":2,"method":"mining.authorize","params":["alice.rig1"]}');
    return { instance, miner };
  }

  test("25 before subscribe", async () => {
    const { miner } = setup();
    expect(await miner.ask(submitLine(1, mine(job, "share")))).toEqual([
      '{"id":1,"result":null,"error":[25,"Not subscribed: send mining.subscribe first",null]}',
    ]);
  });

  test("24 for a worker that was not authorized", async () => {
    const { instance, miner } = await mining();
    const share = mine(job, "share", { worker: "mallory" }, "00000001");
    expect((await miner.ask(submitLine(1, share)))[0]).toMatch(/"error":\[24,/);
    expect(instance.rejects).toEqual(["- unauthorized"]);
  });

  test("22 when the reporter has counted this work before", async () => {
    const { instance, miner } = await mining();
    instance.outcome = () => "duplicate";
    expect((await miner.ask(submitLine(1, mine(job, "share", {}, "00000001"))))[0]).toMatch(/"error":\[22,/);
  });

  test("21 for a job that nobody knows, and for one of an old tip", async () => {
    const { instance, miner } = await mining();
    expect((await miner.ask(submitLine(1, mine(job, "share", { job: "dead" }, "00000001"))))[0]).toMatch(
      /"error":\[21,"Job not/,
    );
    expect((await miner.ask(submitLine(1, mine(job, "share", { job: "nonsense!" }, "00000001"))))[0]).toMatch(
      /\[21,"Job not/,
    );
    instance.job(craftJob({ id: "b1", tip: 2, height: 101 }));
    expect((await miner.ask(submitLine(1, mine(job, "share", {}, "00000001")))).at(-1)).toMatch(/"error":\[21,"Stale/);
  });

  test("an older job of the same tip is as good as the newest", async () => {
    const { instance, miner } = await mining();
    instance.job(craftJob({ id: "a2", clean: false }));
    const answers = await miner.ask(submitLine(1, mine(job, "share", {}, "00000001")));
    expect(answers.at(-1)).toBe('{"id":1,"result":true,"error":null}');
  });

  test("S3 a block that is stale, or nobody's, goes to the daemons all the same", async () => {
    const { instance, miner } = await mining();
    instance.job(craftJob({ id: "b1", tip: 2, height: 101 }));
    const block = mine(job, "block", { worker: "mallory" }, "00000001");
    expect((await miner.ask(submitLine(1, block))).at(-1)).toMatch(/"error":\[24,/);
    expect(instance.blocks).toMatchObject([{ worker: "mallory", candidate: { job: { id: "a1" } } }]);
    await miner.ask(submitLine(1, mine(job, "block", {}, "00000001")));
    expect(instance.blocks).toHaveLength(2);
    expect(instance.shares).toHaveLength(0);
  });
});

describe("who may mine", () => {
  test("names outside the operator's pattern are refused with 24", async () => {
    const { miner } = setup({ authorize: { pattern: "^ltc1[a-z0-9]+(\\.\\w+)?$" } });
    expect(await miner.ask('{"id":1,"method":"mining.authorize","params":["ltc1qxy.rig"]}')).toEqual([
      '{"id":1,"result":true,"error":null}',
    ]);
    expect((await miner.ask('{"id":2,"method":"mining.authorize","params":["bob"]}'))[0]).toMatch(
      /\[24,"This worker name/,
    );
  });

  test("names with spaces or control characters are refused with 24", async () => {
    const { miner } = setup();
    for (const name of ["a b", "a\\n", "\\u00e9", "\\u001b[31m"])
      expect((await miner.ask(`{"id":2,"method":"mining.authorize","params":["${name}"]}`))[0]).toMatch(
        /\[24,"Invalid worker/,
      );
  });

  test("a connection has room for so many workers, and knows them again", async () => {
    const { miner } = setup({ workersPerConnection: 2 });
    for (const [name, answer] of [
      ["a", "true"],
      ["b", "true"],
      ["a", "true"],
      ["c", "null"],
    ] as const)
      expect((await miner.ask(`{"id":2,"method":"mining.authorize","params":["${name}"]}`))[0]).toContain(
        `"result":${answer}`,
      );
  });
});

describe("wishes", () => {
  test("suggest_difficulty before subscribe is where the connection begins", async () => {
    const { miner } = setup();
    await miner.ask(`{"id":1,"method":"mining.suggest_difficulty","params":[${EASY.sha256d / 2}]}`);
    const lines = await miner.ask('{"id":2,"method":"mining.subscribe","params":[]}');
    expect(lines[1]).toBe(`{"id":null,"method":"mining.set_difficulty","params":[${EASY.sha256d / 2}]}`);
  });

  test("suggest_target is the same in other words", async () => {
    const { miner } = setup();
    const target = ((0xffffn << 208n) << 30n).toString(16).padStart(64, "0");
    await miner.ask(`{"id":1,"method":"mining.suggest_target","params":["${target}"]}`);
    const lines = await miner.ask('{"id":2,"method":"mining.subscribe","params":[]}');
    expect(lines[1]).toBe(`{"id":null,"method":"mining.set_difficulty","params":[${2 ** -30}]}`);
  });

  test("no wish reaches beyond the listener's limits, and no difficulty beyond the network's", async () => {
    const { miner } = setup({ listeners: { default: { difficulty: { floor: 1e-9, start: 1e-8, ceiling: 1e9 } } } });
    await miner.ask('{"id":1,"method":"mining.suggest_difficulty","params":[1e12]}');
    const lines = await miner.ask('{"id":2,"method":"mining.subscribe","params":[]}');
    const told = JSON.parse(lines[1] ?? "").params[0];
    expect(told).toBeCloseTo(2 ** -20, 8); // 1f0fffff: every 4,096th hash is a block.
  });

  test("minimum-difficulty holds against lower wishes", async () => {
    const { miner } = setup();
    const minimum = 2 * EASY.sha256d;
    await miner.ask(
      `{"id":1,"method":"mining.configure","params":[["minimum-difficulty"],{"minimum-difficulty.value":${minimum}}]}`,
    );
    await miner.ask(`{"id":1,"method":"mining.suggest_difficulty","params":[${EASY.sha256d / 2}]}`);
    const lines = await miner.ask('{"id":2,"method":"mining.subscribe","params":[]}');
    expect(JSON.parse(lines[1] ?? "").params[0]).toBe(minimum);
  });
});

describe("listeners", () => {
  test("each connection has the rules of the listener that took it; `default` holds for the others", async () => {
    const [slow, fast] = [EASY.sha256d / 4, EASY.sha256d * 4];
    const { instance } = setup({
      listeners: {
        default: { difficulty: { floor: 1e-12, start: slow } },
        farm: { difficulty: { floor: 1e-12, start: fast } },
      },
    });
    for (const [handle, listener, start] of [
      [2, "farm", fast],
      [3, "other", slow],
      [4, "constructor", slow],
    ] as const) {
      const miner = new Miner(instance, `tcp/${handle}`, handle, { listener });
      const lines = await miner.ask('{"id":1,"method":"mining.subscribe","params":[]}');
      expect(JSON.parse(lines[1] ?? "").params).toEqual([start]);
    }
  });
});

describe("jobs", () => {
  test("a connection that subscribes before there is any job gets the first one", async () => {
    const instance = new Instance();
    const miner = new Miner(instance, "tcp/one");
    expect(await miner.ask('{"id":1,"method":"mining.subscribe","params":[]}')).toHaveLength(1);
    instance.job(job);
    expect(await miner.hear()).toEqual([difficultyLine, notifyLine(job, true)]);
  });

  test("a broadcast is one message however many connections hear it", async () => {
    const { instance } = setup();
    const miners = [1, 2, 3].map((handle) => new Miner(instance, `tcp/${handle}`, handle));
    for (const miner of miners) await miner.ask('{"id":1,"method":"mining.subscribe","params":[]}');
    const before = instance.outs.length;
    const next = craftJob({ id: "a2", clean: false });
    instance.job(next);
    expect(instance.outs.slice(before).map(({ kind }) => kind)).toEqual(["broadcast"]);
    for (const miner of miners) expect((await miner.hear()).at(-1)).toContain(`["${nameAs(next)}"`);
  });

  test("subscribing again on the same connection gives the same answer", async () => {
    const { miner } = setup();
    const first = await miner.ask('{"id":1,"method":"mining.subscribe","params":["a"]}');
    expect(await miner.ask('{"id":1,"method":"mining.subscribe","params":["a"]}')).toEqual(first);
  });
});
