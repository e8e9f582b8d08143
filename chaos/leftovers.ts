// What runs that were killed left behind is told from what others use by the process id in its name.

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM"; // Somebody else's.
  }
}
