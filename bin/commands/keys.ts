// headframe keys FILE: makes the CURVE keys of a host or an installation, and says the public one.

import { existsSync } from "node:fs";
import type { CommandModule } from "yargs";
import { createKeyFile, readKeyFile } from "../../lib/wiring/index.js";

interface Arguments {
  readonly file: string;
}

export const keys: CommandModule<object, Arguments> = {
  command: "keys <file>",
  describe: "Make a pair of CURVE keys in a private file and print the public key; of a file that exists, print its",
  builder: (yargs) =>
    yargs
      .positional("file", { type: "string", demandOption: true, describe: "For curve.keyFile; never overwritten" })
      .example("headframe keys /etc/headframe/curve.key", "the printed key goes into the other hosts' curve.allow"),
  handler: ({ file }) => {
    const publicKey = existsSync(file) ? readKeyFile(file).publicKey : createKeyFile(file);
    process.stdout.write(`${publicKey}\n`);
  },
};
