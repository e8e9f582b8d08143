// A service in the caller's own process, against the suite that every way of calling passes.

import { describe } from "@jest/globals";
import { callsConform } from "./conformance.js";
import { doorsConform } from "./conformance-doors.js";
import { hostileCodeIsBorne } from "./conformance-hostile.js";
import { instancesConform } from "./conformance-instances.js";
import { limitsConform } from "./conformance-limits.js";
import { pushesConform } from "./conformance-pushes.js";
import { valuesConform } from "./conformance-values.js";

describe("W5 in this process: calls", () => callsConform("local"));
describe("W5 in this process: instances", () => instancesConform("local"));
describe("W5 in this process: pushes", () => pushesConform("local"));
describe("W5 in this process: hostile code", () => hostileCodeIsBorne("local"));
describe("W5 in this process: what is given", () => doorsConform("local"));
describe("W5 in this process: values", () => valuesConform("local"));
describe("W5 in this process: limits", () => limitsConform("local"));
