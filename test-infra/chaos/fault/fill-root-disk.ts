import type { SmallDisk } from "../../daemon/small-disk.js";
import { type Fault, PHASES } from "./fault.js";

/** Fills the disk that containerd has its records, content and snapshots on. */
export function fillRootDisk(disk: SmallDisk): Fault {
  return {
    name: "the disk of containerd is full",
    // It cannot be started on a full disk.
    parts: ["daemon"],
    phases: PHASES,
    lastsMs: 500,
    async strike() {
      await disk.fill();
      return { heal: () => disk.free() };
    },
    // overlayfs is mounted read-only on a full disk.
    explains: ({ cause, error = "", marks }) =>
      cause === "runtime" && marks.runs === 0 && /no space left on device|read-only file system/.test(error),
  };
}
