// What a miner does not notice: another instance, another edge, another connection, a line that came twice.

import { describe, expect, test } from "@jest/globals";
import type { Claim, ConnectionId, Difficulty, Handle, LineNumber } from "../../../lib/contracts/index.js";
import type { Recorded } from "../../../services/stratum/ports.js";
import { SILENT_MAX } from "../../../services/stratum/vardiff.js";
import { craftJob, EASY, mine, nameAs, submitLine } from "./craft.js";
import { EDGE, Instance, Miner, SharedMemory } from "./stand-ins.js";

const job = craftJob();
const TRUE = '{"id":9,"result":true,"error":null}';

async function start(memory = new SharedMemory(), settings = {}) {
  const instance = new Instance(memory, settings);
  instance.job(job);
  const miner = new Miner(instance, "tcp/one");
  await miner.ask('{"id":1,"method":"mining.subscribe","params":["cgminer/4.12.1"]}');
  await miner.ask('{"id":2,"method":"mining.authorize","params":["alice.rig1"]}');
  return { memory, instance, miner };
}

const another = (memory: SharedMemory, settings = {}) => {
  const instance = new Instance(memory, settings);
  instance.job(job);
  return instance;
};

describe("another instance takes over with the state that the edge carries", () => {
  test("the session goes on: same extranonce1, same workers, shares count", async () => {
    const { memory, miner } = await start();
    const second = another(memory);
    miner.moveTo(second);
    expect(await miner.hear()).toEqual([]); // It has the newest job already.
    expect(miner.group).toBeDefined();
    expect(await miner.ask(submitLine(9, mine(job, "share", {}, "00000001")))).toEqual([TRUE]);
    expect(second.shares).toMatchObject([{ connection: "tcp/one", worker: "alice.rig1" }]);
  });

  test("C4 shared state is told of the new owner at once: what the former one still writes is older", async () => {
    const { memory, miner } = await start();
    memory.states.set("tcp/one", { state: Buffer.from("a late write of the former owner"), live: false });
    miner.moveTo(another(memory));
    expect(memory.states.get("tcp/one")).toEqual({ state: Buffer.from(miner.state ?? []), live: true });
  });

  test("a miner that was silent is silent on the next instance, too: a swap lets its difficulty fall no further", async () => {
    const rules = { difficulty: { start: EASY.sha256d, floor: EASY.sha256d / 2 ** 20 } };
    const { memory, instance, miner } = await start(new SharedMemory(), { listeners: { default: rules } });
    const found = instance.lines.connections.find(EDGE, miner.handle as Handle);
    const session = found?.session;
    if (!found || session?.phase !== "mining") throw new Error("it does not mine");
    found.session = { ...session, window: { ...session.window, silent: 7 } };
    instance.lines.unasked(found, { session: found.session, effects: [{ kind: "carry" }] });
    await miner.hear();
    const second = another(memory, { listeners: { default: rules } });
    miner.moveTo(second);
    const moved = second.lines.connections.find(EDGE, miner.handle as Handle)?.session;
    expect(moved).toMatchObject({ phase: "mining", window: { silent: SILENT_MAX, shares: 0 } });
  });

  test("a job that it missed meanwhile comes at once", async () => {
    const { memory, miner } = await start();
    const second = another(memory);
    second.job(craftJob({ id: "b1", tip: 2, height: 101 }));
    miner.moveTo(second);
    expect((await miner.hear()).map((line) => JSON.parse(line).method)).toEqual([
      "mining.set_difficulty",
      "mining.notify",
    ]);
  });

  test("S4 a share counts with the difficulty that it was told with, on the next instance too, whatever was told since", async () => {
    const { memory, miner } = await start();
    const harder = (4 * EASY.sha256d) as Difficulty;
    await miner.ask(`{"id":3,"method":"mining.suggest_difficulty","params":[${harder}]}`);
    const second = another(memory);
    miner.moveTo(second);
    await miner.hear();
    const [easy, hard] = [
      mine(job, "share", {}, "00000001"),
      mine(job, "share", { job: nameAs(job, harder) }, "00000001"),
    ];
    await miner.ask(submitLine(9, easy));
    expect(second.shares.at(-1)).toMatchObject({ difficulty: EASY.sha256d, job: "a1" });
    const answers = await miner.ask(submitLine(9, hard));
    const good = second.shares.length === 2;
    expect(good ? second.shares.at(-1)?.difficulty : answers[0]).toEqual(
      good ? harder : expect.stringMatching(/\[23,/),
    );
  });

  test("J3 a moved connection that has the present job hears nothing, however it was told, and whatever was told it alone", async () => {
    const { memory, instance, miner } = await start();
    const next = craftJob({ id: "b1", tip: 2, height: 101 });
    instance.job(next); // By broadcast: its state knows nothing of it.
    await miner.hear();
    const second = another(memory);
    second.job(next);
    miner.moveTo(second);
    expect(await miner.hear()).toEqual([]);
  });

  test("J3 when nobody knows what a moved connection has heard, it is told other work, and clean only for another tip", async () => {
    const { memory, miner } = await start();
    const work = (line: string | undefined) => JSON.parse(line ?? "").params as [string, string, string, ...unknown[]];
    const [, , coinbase] = work(miner.heard.find((line) => line.includes('"method":"mining.notify"')));
    let salt = 1;
    for (const [tip, id, clean] of [
      [1, "a1", false],
      [1, "a2", false],
      [2, "b1", true],
    ] as const) {
      const second = new Instance(memory, {}, () => salt++);
      second.job(craftJob({ id, tip, height: 99 + tip }));
      miner.told = undefined; // As after the death of its edge.
      miner.moveTo(second);
      const told = work((await miner.hear()).at(-1));
      expect(told[2]).not.toBe(coinbase);
      expect(told.at(-1)).toBe(clean);
    }
  });

  test("a job that the new instance never saw is found in shared state", async () => {
    const { memory, miner } = await start();
    const second = new Instance(memory);
    second.job(craftJob({ id: "a7", clean: false }));
    second.archive.set(job.id, job);
    miner.moveTo(second);
    await miner.hear();
    expect(await miner.ask(submitLine(9, mine(job, "share", {}, "00000001")))).toEqual([TRUE]);
  });

  test("S1 a share that was recorded but not answered is answered true by the next instance, not as a duplicate", async () => {
    const { memory, instance, miner } = await start();
    const recorded = new Set<string>();
    const reporter = ({ connection, line }: { connection: string; line: number }): Recorded => {
      const key = `${connection} ${line}`;
      const outcome = recorded.has(key) ? "redelivered" : "recorded";
      recorded.add(key);
      return outcome;
    };
    instance.outcome = (share) => {
      reporter(share);
      return new Promise(() => {}); // It dies with the reporter's answer in hand.
    };
    const share = submitLine(9, mine(job, "share", {}, "00000001"));
    const number = miner.line(share);
    expect(await miner.hear()).toEqual([]);
    expect(miner.acknowledged).not.toContain(number);
    const second = another(memory);
    second.outcome = reporter;
    miner.moveTo(second);
    miner.line(share, number);
    expect(await miner.hear()).toEqual([TRUE]);
    expect(miner.acknowledged.at(-1)).toBe(number);
  });

  test("S1 a share that was recorded but not answered is answered true also when it is stale by then, and no other one is", async () => {
    const { memory, instance, miner } = await start();
    instance.outcome = () => new Promise(() => {}); // It dies with the reporter's answer in hand.
    const share = submitLine(9, mine(job, "share", {}, "00000001"));
    const number = miner.line(share);
    const second = another(memory);
    const asked: Claim[] = [];
    second.known = (claim) => {
      asked.push(claim);
      return claim.line === number;
    };
    const tip = craftJob({ id: "b1", height: 101, previousHash: Buffer.alloc(32, 0xbb) });
    second.job(tip);
    miner.moveTo(second);
    await miner.hear();
    miner.lineAgain(share, number);
    expect(await miner.hear()).toEqual([TRUE]);
    expect(asked).toMatchObject([{ connection: "tcp/one", line: number, height: job.height }]);
    miner.lineAgain(share, number + 1);
    expect((await miner.hear())[0]).toMatch(/\[21,/);
    expect((await miner.ask(share))[0]).toMatch(/\[21,/);
    expect(asked).toHaveLength(2); // A line that nobody else had is not looked up.
  });

  test("state of another version is not guessed at: shared state is asked", async () => {
    const { memory, miner } = await start();
    miner.state = Buffer.from("from the future");
    const second = another(memory);
    miner.moveTo(second);
    await miner.hear();
    expect(await miner.ask(submitLine(9, mine(job, "share", {}, "00000001")))).toEqual([TRUE]);
  });
});

describe("another edge process takes over with what shared state knows", () => {
  test("lines that come while the session is loaded wait for it, in order", async () => {
    const { memory } = await start();
    const second = another(memory);
    let loaded = (_: unknown): void => {};
    second.memoryDelay = new Promise((resolve) => {
      loaded = resolve;
    });
    const miner = new Miner(second, "tcp/one", 5, { adopted: true });
    miner.line(submitLine(8, mine(job, "share", {}, "00000001")));
    miner.line('{"id":9,"method":"mining.ping"}');
    expect(await miner.hear()).toEqual([]);
    loaded(undefined);
    const answers = await miner.hear();
    const answered = answers.filter((line) => !("method" in JSON.parse(line)));
    expect(answered.sort()).toEqual(['{"id":8,"result":true,"error":null}', '{"id":9,"result":"pong","error":null}']);
    expect(miner.group).toBeDefined();
  });

  test("J1 the present job is told again, under another name: the old edge may have died with the words that shared state says were told", async () => {
    const { memory } = await start();
    const second = new Instance(memory, {}, () => 77);
    second.job(job);
    const miner = new Miner(second, "tcp/one", 5, { adopted: true });
    const told = (await miner.hear()).map((line) => JSON.parse(line));
    expect(told.map(({ method }) => method)).toEqual(["mining.set_difficulty", "mining.notify"]);
    const [name, ...work] = told.at(-1).params;
    expect(name).toBe(nameAs(job, EASY.sha256d, 77)); // A miner that had heard it repeats no work,
    expect(work.at(-1)).toBe(false); // nor throws any away.
    expect(await miner.ask(submitLine(9, mine(job, "share", {}, "00000001")))).toEqual([TRUE]);
  });

  test("the new edge is given the state as well: the next instance needs no shared state, be it away", async () => {
    const { memory } = await start();
    const miner = new Miner(another(memory), "tcp/one", 5, { adopted: true });
    await miner.hear();
    expect(miner.state).toBeDefined();
    const third = another(memory);
    third.memoryDelay = new Promise(() => {}); // Redis does not answer.
    miner.moveTo(third);
    await miner.hear();
    expect(await miner.ask(submitLine(9, mine(job, "share", {}, "00000001")))).toEqual([TRUE]);
  });

  test("C2 the successor of a killed edge that brings the state needs no shared state, be it away; the present job is told again", async () => {
    const { memory, miner: before } = await start();
    const second = another(memory);
    second.memoryDelay = new Promise(() => {}); // Redis does not answer.
    const miner = new Miner(second, "tcp/one", 5, { adopted: true, state: before.state });
    const told = (await miner.hear()).map((line) => JSON.parse(line).method);
    expect(told).toEqual(["mining.set_difficulty", "mining.notify"]);
    expect(miner.state).toBeDefined();
    expect(await miner.ask('"00000000"],"id":4}')).toEqual([]); // The tail of what the dead edge had begun to read.
    expect(await miner.ask(submitLine(9, mine(job, "share", {}, "00000001")))).toEqual([TRUE]);
  });

  test("the tail of a line whose beginning died with the old edge is passed over in silence, the next one is not", async () => {
    const { memory } = await start();
    const miner = new Miner(another(memory), "tcp/one", 5, { adopted: true });
    await miner.hear();
    expect(await miner.ask('0001","655f5c80","00000000"],"id":4}')).toEqual([]);
    expect(miner.acknowledged).toEqual([1]);
    expect((await miner.ask("rubbish"))[0]).toMatch(/\[20,/);
  });

  test("a subscribed miner that nobody remembers is closed at its first share, so that it comes back with its session id", async () => {
    const miner = new Miner(another(new SharedMemory()), "tcp/lost", 5, { adopted: true });
    await miner.hear();
    expect((await miner.ask(submitLine(9, mine(job, "share"))))[0]).toMatch(/\[25,/);
    expect(miner.closed).toMatch(/unknown here/);
  });
});

describe("a client that comes back on another connection", () => {
  const back = async (instance: Instance, session: string, connection = "tcp/two") => {
    const miner = new Miner(instance, connection, 20);
    const lines = await miner.ask(`{"id":1,"method":"mining.subscribe","params":["cgminer/4.12.1","${session}"]}`);
    return { miner, lines, reply: JSON.parse(lines[0] ?? "").result };
  };

  test("C4 gets its extranonce1 and its difficulty, on any instance, and its old job's shares count", async () => {
    const { memory, miner } = await start();
    await miner.ask(`{"id":3,"method":"mining.suggest_difficulty","params":[${EASY.sha256d / 2}]}`);
    miner.close();
    const second = another(memory);
    const { miner: again, reply, lines } = await back(second, "tcp/one");
    expect(reply).toEqual([
      [
        ["mining.set_difficulty", "tcp/two"],
        ["mining.notify", "tcp/two"],
      ],
      "00000001",
      8,
    ]);
    expect(JSON.parse(lines[1] ?? "").params).toEqual([EASY.sha256d / 2]);
    const share = submitLine(9, mine(job, "share", {}, "00000001"));
    expect((await again.ask(share))[0]).toMatch(/\[24,/); // Workers authorize again.
    await again.ask('{"id":2,"method":"mining.authorize","params":["alice.rig1"]}');
    expect(await again.ask(share)).toEqual([TRUE]);
  });

  test("C4 version bits that were agreed on before count after a resume, whether or not the miner configures again", async () => {
    const { memory, miner } = await start();
    const configure =
      '{"id":3,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"ffffffff"}]}';
    await miner.ask(configure);
    miner.close();
    const { miner: again } = await back(another(memory), "tcp/one");
    await again.ask('{"id":2,"method":"mining.authorize","params":["alice.rig1"]}');
    const rolled = mine(job, "share", { versionBits: 0x0000_6000 }, "00000001");
    expect(await again.ask(submitLine(9, rolled))).toEqual([TRUE]);
  });

  test("a session resumes again and again", async () => {
    const { memory, instance, miner } = await start();
    miner.close();
    for (const [session, connection] of [
      ["tcp/one", "tcp/two"],
      ["tcp/two", "tcp/three"],
      ["tcp/three", "tcp/four"],
    ] as const) {
      const next = await back(another(memory), session, connection);
      expect(next.reply[1]).toBe("00000001");
      next.miner.close();
    }
    expect(instance.memory.numbers).toBe(2);
  });

  test("a session that somebody else lives on is not given away", async () => {
    const { memory } = await start();
    const { reply } = await back(another(memory), "tcp/one");
    expect(reply[1]).toBe("00000002");
  });

  test("a moved connection's session stays held", async () => {
    const { memory, miner } = await start();
    miner.close("moved");
    const { reply } = await back(another(memory), "tcp/one");
    expect(reply[1]).toBe("00000002");
  });

  test("an unknown session id means a new session", async () => {
    const { memory } = await start();
    const { reply } = await back(another(memory), "never-was");
    expect(reply[1]).toBe("00000002");
  });
});

describe("difficulty in motion", () => {
  test("a miner far too fast for its difficulty gets another one at once, and every share counts at its own", async () => {
    const { instance, miner } = await start();
    let nonce = 0;
    const told: string[] = [];
    for (let i = 0; i < 40 && told.length === 0; i++) {
      const share = mine(job, "share", { nonce }, "00000001");
      nonce = share.nonce + 1;
      told.push(...(await miner.ask(submitLine(9, share))).filter((line) => line !== TRUE));
    }
    const [difficulty, notice] = told.map((line) => JSON.parse(line));
    expect(difficulty.params[0]).toBeGreaterThan(2 * EASY.sha256d);
    expect(notice.params[0]).toBe(nameAs(job, difficulty.params[0]));
    expect(notice.params[8]).toBe(false);
    await miner.ask(submitLine(9, mine(job, "share", { nonce }, "00000001")));
    expect(instance.shares.every(({ difficulty: credited }) => credited === EASY.sha256d)).toBe(true);
  });
});

describe("the pool looks after its connections", () => {
  const ageing = { subscribeTimeoutMs: 1, authorizeTimeoutMs: 1 };
  const pause = () => new Promise((resolve) => setTimeout(resolve, 5));

  test("who never subscribes, or never authorizes, is closed", async () => {
    const { instance, miner } = await start(undefined, ageing);
    const silent = new Miner(instance, "tcp/silent", 2);
    const nameless = new Miner(instance, "tcp/nameless", 3);
    await nameless.ask('{"id":1,"method":"mining.subscribe","params":[]}');
    await pause();
    instance.broadcast.sweep();
    for (const each of [miner, silent, nameless]) await each.hear();
    expect([miner.closed, silent.closed, nameless.closed]).toEqual([
      undefined,
      "no mining.subscribe in time",
      "no authorized worker in time",
    ]);
  });

  test("the job is told again before a silent miner gives us up, under a name that leads to it", async () => {
    const { instance, miner } = await start(undefined, { keepaliveMs: 1 });
    await pause();
    instance.broadcast.sweep();
    const [notice] = (await miner.hear()).map((line) => JSON.parse(line));
    expect(notice).toMatchObject({ method: "mining.notify", params: expect.arrayContaining([nameAs(job), false]) });
    const time = Number.parseInt(notice.params[7], 16);
    const share = mine(job, "share", { job: notice.params[0], time }, "00000001");
    expect(await miner.ask(submitLine(9, share))).toEqual([TRUE]);
    expect(instance.shares.at(-1)?.job).toBe("a1");
  });

  test("C5 without work miners are let go, so many a second, and kept as soon as there is work", async () => {
    const { instance, miner } = await start(undefined, { noWorkClosesPerSecond: 1 });
    const other = new Miner(instance, "tcp/other", 2);
    instance.freshAtMs = performance.now() - instance.settings.noWorkDisconnectMs - 1;
    instance.broadcast.sweep();
    expect((await miner.hear())[0]).toContain("client.show_message");
    await other.hear();
    expect([miner.closed, other.closed]).toEqual([expect.stringMatching(/No coin daemon/), undefined]);
    instance.freshAtMs = performance.now();
    instance.broadcast.sweep();
    await other.hear();
    expect(other.closed).toBeUndefined();
  });
});

describe("C5 at the door", () => {
  test("C5 who comes while there is no work is turned away as the others are let go, and taken in as soon as there is", async () => {
    const { instance } = await start();
    const gone = performance.now() - instance.settings.noWorkDisconnectMs - 1;
    const lines = [
      '{"id":1,"method":"mining.subscribe","params":[]}',
      '{"id":1,"method":"mining.authorize","params":["a.b","x"]}',
    ];
    for (const [at, line] of lines.entries()) {
      instance.freshAtMs = gone;
      const miner = new Miner(instance, `tcp/late${at}`, 10 + at);
      expect(await miner.ask('{"id":0,"method":"mining.configure","params":[["version-rolling"],{}]}')).toHaveLength(1);
      expect(await miner.ask(line)).toEqual([
        '{"id":1,"result":null,"error":[20,"No coin daemon has answered for too long: mine elsewhere meanwhile",null]}',
      ]);
      expect(miner.closed).toMatch(/No coin daemon/);
      instance.freshAtMs = performance.now();
      const next = new Miner(instance, `tcp/next${at}`, 20 + at);
      expect((await next.ask(line))[0]).not.toContain('error":[');
    }
    expect(instance.tally.counters().let_go).toBe(2);
  });
});

describe("overload", () => {
  test("W3 beyond its bounds an instance takes nothing and says so", async () => {
    const { instance, miner } = await start();
    instance.waiting = instance.settings.sharesWaitingMax + 1;
    expect(() => miner.line('{"id":1,"method":"mining.ping"}')).toThrow("[OVERLOADED]");
    instance.waiting = 0;
    expect(await miner.ask('{"id":1,"method":"mining.ping"}')).toHaveLength(1);
  });

  test("lines of connections that are gone are not waited for", async () => {
    const { instance, miner } = await start();
    let settle = (_: Recorded): void => {};
    instance.outcome = () =>
      new Promise((resolve) => {
        settle = resolve;
      });
    miner.line(submitLine(9, mine(job, "share", {}, "00000001")));
    await miner.hear();
    miner.close();
    expect(instance.lines.queueBytes).toBeGreaterThan(0);
    settle("recorded");
    await instance.lines.idle();
    expect(instance.lines.queueBytes).toBe(0);
    expect(await miner.hear()).toEqual([]);
  });

  test("an event for a connection that is not there harms nobody", () => {
    const { lines } = new Instance();
    const handle = 77 as Handle;
    lines.events(
      [
        { kind: "line", handle, number: 1 as LineNumber, bytes: Buffer.from("x") },
        { kind: "close", handle, reason: "client" },
      ],
      EDGE,
    );
    expect(lines.connections.size).toBe(0);
    expect(lines.connections.find(EDGE, handle)?.id as ConnectionId | undefined).toBeUndefined();
  });
});
