// The environment of a test file: Node's, with zeromq loaded once outside of it.
//
// Jest gives every test file its own copy of every JavaScript module, but a native addon is loaded once a process. zeromq
// extends its addon's classes with functions that belong to the first copy, and they stop working when that test file is
// over ("Cannot read properties of undefined (reading 'EventEmitter')" in every later file of the same worker). Loaded here
// first, those functions belong to the process.

import "zeromq";

export { TestEnvironment as default } from "jest-environment-node";
