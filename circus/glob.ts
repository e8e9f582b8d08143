// Shell patterns over names, as Python's fnmatch has them: `*`, `?`, `[abc]`, `[!abc]`. Pure. (Node 20's own is experimental
// and says so on every start.)

/** Anchored at both ends; everything that is no pattern character stands for itself. */
export function globMatches(glob: string, name: string): boolean {
  const source = glob.replace(/\[(!?)([^\]]+)\]|[\s\S]/g, (part, not: string | undefined, set: string | undefined) => {
    if (set !== undefined) return `[${not === "!" ? "^" : ""}${set.replace(/[\\\]^]/g, "\\$&")}]`;
    if (part === "*") return ".*";
    if (part === "?") return ".";
    return part.replace(/[\\^$.|?*+()[\]{}/-]/g, "\\$&");
  });
  try {
    return new RegExp(`^${source}$`, "s").test(name);
  } catch {
    return false; // A set like [z-a] matches nothing.
  }
}
