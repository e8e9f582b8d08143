// A service across a socket, against the suite that every way of calling passes.

import { describe } from "@jest/globals";
import { callsConform } from "./conformance.js";
import { instancesConform } from "./conformance-instances.js";
import { pushesConform } from "./conformance-pushes.js";

describe("over ZeroMQ: calls", () => callsConform("remote"));
describe("over ZeroMQ: instances", () => instancesConform("remote"));
describe("over ZeroMQ: pushes", () => pushesConform("remote"));
