import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { Bans } from "../../haproxy/bans.js";
import { haproxySettings } from "../../haproxy/settings.js";
import { BANS_MAX, clientAddress } from "../../lib/contracts/index.js";

const HOUR_MS = 3_600_000;

function ladder(input: Parameters<typeof haproxySettings.parse>[0] = {}) {
  const clock = { now: 1_000_000_000_000 };
  const { bans } = haproxySettings.parse(input);
  const open = (remembered?: ConstructorParameters<typeof Bans>[2]) => new Bans(bans, () => clock.now, remembered);
  const book = open();
  /** Bans, and says for how many seconds. */
  const seconds = (address: string, on = book) => {
    const verdict = on.ban(address, "garbage");
    return verdict.outcome === "banned" ? Math.round((verdict.ban.until - clock.now) / 1_000) : verdict.outcome;
  };
  return { clock, book, open, seconds };
}

test("each repetition lasts longer: a minute, ten, an hour, a day, and a day again", () => {
  const { clock, book, seconds } = ladder();
  for (const expected of [60, 600, 3_600, 86_400, 86_400]) {
    expect(seconds("192.0.2.1")).toBe(expected);
    clock.now += expected * 1_000 + 1;
    expect(book.banned()).toEqual([]);
  }
});

test("reports of an address that is banned already change nothing", () => {
  const { clock, book, seconds } = ladder();
  expect(seconds("192.0.2.1")).toBe(60);
  clock.now += 20_000;
  expect(seconds("192.0.2.1")).toBe(40);
  expect(book.banned()).toMatchObject([{ step: 1 }]);
});

test("after a quiet day the ladder begins anew", () => {
  const { clock, seconds } = ladder();
  expect(seconds("192.0.2.1")).toBe(60);
  clock.now += 25 * HOUR_MS;
  expect(seconds("192.0.2.1")).toBe(60);
});

test("a restarted controller remembers who is banned, and who was", () => {
  const { clock, book, open, seconds } = ladder();
  seconds("192.0.2.1");
  clock.now += 61_000;
  const next = open(JSON.parse(JSON.stringify(book.remember())));
  expect(next.banned()).toEqual([]);
  expect(seconds("192.0.2.1", next)).toBe(600);
});

test("spared addresses are not banned, alone or in a range, also when they come over IPv6 sockets; a new list counts at once", () => {
  const { book, seconds } = ladder({ bans: { neverBan: ["10.0.0.0/8", "2001:db8::/32"] } });
  for (const address of ["10.1.2.3", "::ffff:10.1.2.3", "10.0.0.0/16", "0.0.0.0/0", "2001:DB8::1"])
    expect(seconds(address)).toBe("spared");
  expect(seconds("192.0.2.1")).toBe(60);
  expect(seconds("127.0.0.1")).toBe(60); // Loopback is spared by default only.
  book.configure(haproxySettings.parse({}).bans);
  expect(book.banned().map(({ address }) => address)).toEqual(["192.0.2.1"]);
});

test("N5 an IPv6 address is banned, prolonged and let in again with its /64: one subscriber is one ban", () => {
  const { book, seconds } = ladder();
  expect(seconds("2001:db8:1:1::1")).toBe(60);
  for (let n = 2; n < 100; n++) seconds(`2001:db8:1:1:${n.toString(16)}::1`);
  expect(book.banned()).toMatchObject([{ address: "2001:db8:1:1::/64", step: 1 }]);
  expect(book.unban("2001:db8:1:1::77")).toBe(true);
  expect(book.banned()).toEqual([]);
  book.ban("2001:db8:1:1::1/128", "operator"); // A range is what it says.
  expect(book.banned()).toMatchObject([{ address: "2001:db8:1:1::1/128" }]);
});

test("a ban by hand lasts as long as it says, and may shorten another one", () => {
  const { book, clock } = ladder();
  book.ban("192.0.2.1", "operator", 1_000);
  book.ban("192.0.2.1", "operator", 5);
  expect(book.banned()).toMatchObject([{ until: clock.now + 5_000 }]);
  expect([book.unban("192.0.2.1"), book.unban("192.0.2.1")]).toEqual([true, false]);
});

test("what is remembered is bounded: those that end soonest are forgotten first", () => {
  const { book } = ladder();
  const address = (n: number) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`;
  for (let n = 0; n < BANS_MAX; n++) book.ban(address(n), "operator", 1_000 + n);
  book.ban("192.0.2.1", "garbage");
  const kept = book.banned().map((ban) => ban.address);
  expect(kept.length).toBeLessThanOrEqual(BANS_MAX);
  expect(kept.length).toBeGreaterThanOrEqual(0.99 * BANS_MAX);
  expect(kept).toContain("192.0.2.1");
  for (const [n, isKept] of [
    [0, false],
    [BANS_MAX / 100, true],
    [BANS_MAX - 1, true],
  ] as const)
    expect(kept.includes(address(n))).toBe(isKept);
});

test("only addresses and ranges are taken: nothing that a runtime command could be made of", () => {
  for (const good of ["192.0.2.1", "192.0.2.0/24", "2001:db8::1", "2001:db8::/32"])
    expect(clientAddress.safeParse(good).success).toBe(true);
  for (const bad of ["", "x", "192.0.2.1/33", "192.0.2.1 2", "192.0.2.1;show info", "1/2/3", "192.0.2.1/-1", "::1/129"])
    expect(clientAddress.safeParse(bad).success).toBe(false);
  fc.assert(
    fc.property(fc.string(), (text) => {
      if (clientAddress.safeParse(text).success) expect(text).toMatch(/^[0-9a-fA-F.:/]+$/);
    }),
  );
});

test("two controllers of one HAProxy keep each other's bans and unbans, whoever writes their file last", () => {
  const { clock, open } = ladder();
  const [a, b] = [open(), open()];
  const share = (from: Bans, to: Bans) => to.merge(JSON.parse(JSON.stringify(from.remember())));
  a.ban("192.0.2.1", "garbage");
  b.ban("192.0.2.2", "garbage");
  share(a, b);
  share(b, a);
  for (const each of [a, b]) expect(each.banned().map(({ address }) => address)).toEqual(["192.0.2.1", "192.0.2.2"]);
  clock.now += 1;
  expect(b.unban("192.0.2.1")).toBe(true);
  share(a, b); // The other one's file still has the ban.
  share(b, a);
  for (const each of [a, b]) expect(each.banned().map(({ address }) => address)).toEqual(["192.0.2.2"]);
  clock.now += 1;
  expect(a.ban("192.0.2.1", "operator", 10)).toMatchObject({ ban: { step: 1 } }); // An unban forgets what the address did.
  share(b, a);
  share(a, b);
  expect(b.banned()).toHaveLength(2);
});

test("whatever two controllers do and in whatever order they read each other, they agree in the end", () => {
  const act = fc.record({
    who: fc.constantFrom(0, 1),
    what: fc.constantFrom("ban", "unban", "share"),
    address: fc.constantFrom("192.0.2.1", "192.0.2.2", "192.0.2.3"),
    later: fc.integer({ min: 0, max: 90_000 }),
  });
  fc.assert(
    fc.property(fc.array(act, { maxLength: 30 }), (acts) => {
      const { clock, open } = ladder();
      const both = [open(), open()] as const;
      const share = (who: number) => both[who === 0 ? 1 : 0].merge(both[who === 0 ? 0 : 1].remember());
      for (const { who, what, address, later } of acts) {
        clock.now += later;
        const book = both[who === 0 ? 0 : 1];
        if (what === "ban") book.ban(address, "garbage");
        else if (what === "unban") book.unban(address);
        else share(who);
      }
      share(0);
      share(1);
      expect(both[0].remember()).toEqual(both[1].remember());
    }),
  );
});
