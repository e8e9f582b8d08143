// The tests run as tsc built them (dist/), so what is tested is what is shipped; source maps bring failures back to the .ts.
export default {
  testEnvironment: "<rootDir>/test/environment.js",
  roots: ["<rootDir>/dist/test"],
  testMatch: ["**/*.test.js"],
  transform: {},
  testTimeout: 30_000,
  maxWorkers: 2,
  reporters: ["default", "<rootDir>/test/closing-line.js"],
};
