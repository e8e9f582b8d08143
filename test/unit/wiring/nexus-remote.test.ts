// A service across a socket, against the suite that every way of calling passes.

import { describe } from "@jest/globals";
import { callsConform } from "./conformance.js";
import { doorsConform } from "./conformance-doors.js";
import { hostileCodeIsBorne } from "./conformance-hostile.js";
import { instancesConform } from "./conformance-instances.js";
import { limitsConform } from "./conformance-limits.js";
import { pushesConform } from "./conformance-pushes.js";
import { valuesConform } from "./conformance-values.js";

describe("W5 over ZeroMQ: calls", () => callsConform("remote"));
describe("W5 over ZeroMQ: instances", () => instancesConform("remote"));
describe("W5 over ZeroMQ: pushes", () => pushesConform("remote"));
describe("W5 over ZeroMQ: hostile code", () => hostileCodeIsBorne("remote"));
describe("W5 over ZeroMQ: what is given", () => doorsConform("remote"));
describe("W5 over ZeroMQ: values", () => valuesConform("remote"));
describe("W5 over ZeroMQ: limits", () => limitsConform("remote"));
