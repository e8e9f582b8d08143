// npm run lock: writes package-lock.json anew, whole, and the same from whichever registry or mirror.
//
// npm leaves two things in a lock file that must not be there, and leaves out one that must:
//
//   L1. No `resolved`: it names the host that one machine happened to ask.
//   L2. Every optional dependency has an entry. When a mirror lacks the build for another platform, npm drops it without a word,
//       and `npm ci` then refuses the whole file everywhere. An entry of name, version and platform is enough: only a machine of
//       that platform asks for it.

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const OS = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "sunos", "win32"];
const CPU = ["arm", "arm64", "ia32", "loong64", "mips64el", "ppc64", "riscv64", "s390x", "wasm32", "x64"];

/** What npm knows of a platform package, as far as its name tells. */
function platformOf(name) {
  const words = name.split("/").at(-1).split("-");
  const os = OS.filter((each) => words.includes(each));
  const cpu = CPU.filter((each) => words.includes(each));
  const libc = words.includes("musl") ? ["musl"] : words.includes("gnu") ? ["glibc"] : [];
  if (os.length + cpu.length === 0)
    throw new Error(`${name} is no platform package; install it where a registry has it`);
  return { ...(libc.length ? { libc } : {}), ...(cpu.length ? { cpu } : {}), ...(os.length ? { os } : {}) };
}

export function complete(lock) {
  const { packages } = lock;
  for (const [path, entry] of Object.entries(packages)) {
    delete entry.resolved; // L1
    for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
      if (packages[`node_modules/${name}`] || packages[`${path}/node_modules/${name}`]) continue;
      const version = /\d+\.\d+\.\d+\S*/.exec(range)?.[0];
      packages[`node_modules/${name}`] = {
        version,
        ...platformOf(name),
        optional: true,
        ...(entry.dev ? { dev: true } : {}),
      };
    }
  }
  lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)));
  return lock;
}

if (process.argv[2] === "--write") {
  // In an empty folder: what stands in node_modules would decide what npm sees.
  const folder = mkdtempSync(join(tmpdir(), "lock-"));
  for (const file of ["package.json", "package-lock.json"]) {
    if (existsSync(file)) writeFileSync(join(folder, file), readFileSync(file));
  }
  execFileSync("npm", ["install", "--package-lock-only", "--loglevel=error"], { cwd: folder, stdio: "inherit" });
  const lock = complete(JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8")));
  writeFileSync("package-lock.json", `${JSON.stringify(lock, null, 2)}\n`);
  rmSync(folder, { recursive: true });
}
