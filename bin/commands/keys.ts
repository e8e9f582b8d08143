// headframe keys FILE: makes the CURVE keys of a host or an installation, and says the public one.

import { existsSync } from "node:fs";
import type { CommandModule } from "yargs";
import { createKeyFile, readKeyFile } from "../../lib/wiring/index.js";

interface Arguments {
  readonly file: string;
}

export const keys: CommandModule<object, Arguments> = {
  command: "keys <file>",
  describe:
    "Create a file (mode 600) with a CURVE key pair and print the public key; if the file exists, print its public key",
  builder: (yargs) =>
    yargs
      .positional("file", {
        type: "string",
        demandOption: true,
        describe: "Key file (curve.keyFile); never overwritten",
      })
      .example("headframe keys /etc/headframe/curve.key", "add the printed key to curve.allow on the other hosts"),
  handler: ({ file }) => {
    const publicKey = existsSync(file) ? readKeyFile(file).publicKey : createKeyFile(file);
    process.stdout.write(`${publicKey}\n`);
  },
};
