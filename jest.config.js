// The tests run as tsc built them (dist/), so what is tested is what is shipped; source maps bring failures back to the .ts.
export default {
  testEnvironment: "<rootDir>/test/environment.js",
  // What a test left in its globals is wrapped otherwise, layer on layer, until a set of it overflows the stack; each worker ends anyway.
  testEnvironmentOptions: { globalsCleanup: "off" },
  roots: ["<rootDir>/dist/test"],
  testMatch: ["**/*.test.js"],
  transform: {},
  testTimeout: 30_000,
  maxWorkers: 2,
  reporters: ["default", "<rootDir>/test/closing-line.js"],
};
