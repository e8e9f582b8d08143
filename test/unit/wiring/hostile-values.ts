// What a careless or hostile piece of code may throw or return: each makes some way of reading it throw.

const throwing = (what: string) => () => {
  throw new Error(what);
};

const circle = new Error("a circle");
circle.cause = circle;

/** By name, made anew for each test that throws them. */
export const hostileValues: Readonly<Record<string, () => unknown>> = {
  text: () => "only text",
  undefined: () => undefined,
  null: () => null,
  symbol: () => Symbol("a symbol"),
  bigint: () => 2n ** 70n,
  "an object without a prototype": () => Object.assign(Object.create(null), { why: "no prototype" }),
  "a toString that throws": () => ({ toString: throwing("toString"), [Symbol.toPrimitive]: throwing("toPrimitive") }),
  "a message that is no text": () => Object.assign(new Error("x"), { message: { code: 7 } }),
  "a message that is undefined": () => Object.assign(new Error("x"), { message: undefined }),
  "a message whose getter throws": () => Object.defineProperty(new Error("x"), "message", { get: throwing("message") }),
  "a stack whose getter throws": () => Object.defineProperty(new Error("x"), "stack", { get: throwing("stack") }),
  "a field whose getter throws": () =>
    Object.defineProperty(new Error("x"), "code", { enumerable: true, get: throwing("code") }),
  "a Proxy that refuses everything": () =>
    new Proxy(new Error("x"), {
      get: throwing("get"),
      getPrototypeOf: throwing("getPrototypeOf"),
      has: throwing("has"),
    }),
  "a revoked Proxy": () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  "an error that is its own cause": () => circle,
  "a frozen error": () => Object.freeze(new Error("frozen")),
  "a message of 20 million characters": () => new Error("m".repeat(20_000_000)),
  "a promise": () => Promise.resolve("a promise"),
  "an array of a million": () => new Array(1_000_000).fill("x"),
};
