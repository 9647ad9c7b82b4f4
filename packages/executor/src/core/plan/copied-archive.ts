import { requireThat } from "../refuse.js";

/** What is said about an entry of an archive that somebody gives. */
export interface GivenEntry {
  readonly name: string;
  readonly type: string;
  readonly linkname?: string | null | undefined;
  readonly size?: number | undefined;
}

/** Limits of an archive, against archives that fill the disk. */
export interface ArchiveLimits {
  /** Of the contents of all files together. */
  readonly maxBytes: number;
  readonly maxEntries: number;
}

const KINDS: Readonly<Record<string, "file" | "directory" | "symlink">> = {
  file: "file",
  "contiguous-file": "file",
  directory: "directory",
  symlink: "symlink",
};
/** A name that the daemon's differ takes for an order to delete. Source: the OCI image spec, layer.md. */
const WHITEOUT = /^\.wh\./;

/**
 * Checks the entries of an archive in their order. Its names are relative, and stay inside of the directory
 * that it is unpacked in. So do its links. Devices, FIFOs and hard links are refused.
 *
 * @throws ExecutorError `refused`, with the field `archive`, for each entry that breaks this.
 */
export function createEntryCheck(limits: ArchiveLimits) {
  let bytes = 0;
  let entries = 0;
  return (
    entry: GivenEntry,
  ): { readonly kind: "file" | "directory" | "symlink"; readonly parts: string[] } => {
    const shown = JSON.stringify(entry.name.slice(0, 100));
    const check = (holds: boolean, problem: string, allowed: string): void =>
      requireThat(holds, "archive", `${shown} ${problem}`, allowed);
    entries++;
    bytes += entry.size ?? 0;
    check(entries <= limits.maxEntries, "is one entry too many", `up to ${limits.maxEntries} entries`);
    check(
      bytes <= limits.maxBytes,
      "makes the files too large",
      `up to ${limits.maxBytes} bytes in all files`,
    );
    const kind = Object.hasOwn(KINDS, entry.type) ? KINDS[entry.type] : undefined;
    check(kind !== undefined, `is a ${entry.type}`, "files, directories and symbolic links");
    const parts = entry.name.split("/").filter((part) => part !== "" && part !== ".");
    check(
      !entry.name.startsWith("/") && !parts.includes("..") && !entry.name.includes("\0"),
      "leads out of the directory",
      "relative names without ..",
    );
    check(!parts.some((part) => WHITEOUT.test(part)), "is a name that deletes files", "names without .wh.");
    if (kind === "symlink")
      check(
        staysInside(parts.slice(0, -1), entry.linkname ?? ""),
        "is a link that leads out of the directory",
        "links with relative targets inside of the archive's directory",
      );
    return { kind: kind ?? "file", parts };
  };
}

function staysInside(directory: readonly string[], target: string): boolean {
  if (target === "" || target.startsWith("/") || target.includes("\0")) return false;
  let depth = directory.length;
  for (const part of target.split("/")) {
    if (part === "..") depth--;
    else if (part !== "" && part !== ".") depth++;
    if (depth < 0) return false;
  }
  return true;
}
