// A service in the caller's own process, against the suite that every way of calling passes.

import { describe } from "@jest/globals";
import { callsConform } from "./conformance.js";
import { instancesConform } from "./conformance-instances.js";
import { pushesConform } from "./conformance-pushes.js";

describe("in this process: calls", () => callsConform("local"));
describe("in this process: instances", () => instancesConform("local"));
describe("in this process: pushes", () => pushesConform("local"));
