// command: the command line in a process of its own, as an operator calls it.
//
//   const { exitCode, stdout, stderr } = await headframe("swap", "stratum", "--config", pool.configFile);

import { fileURLToPath } from "node:url";
import { execa } from "execa";

export const BIN = fileURLToPath(new URL("../../bin/headframe.js", import.meta.url));
const COMMAND_MS = 120_000;

export async function headframe(...words: string[]) {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [BIN, ...words], {
    reject: false,
    timeout: COMMAND_MS,
  });
  return { exitCode, stdout, stderr };
}
