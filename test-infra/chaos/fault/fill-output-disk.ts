import type { SmallDisk } from "../../daemon/small-disk.js";
import { type Fault, PHASES } from "./fault.js";

/** The exit code of a process that SIGKILL has ended. */
const KILLED = 137;

/** Fills the disk that output is written to. */
export function fillOutputDisk(disk: SmallDisk): Fault {
  return {
    name: "the disk of the output is full",
    parts: ["output disk"],
    phases: PHASES,
    lastsMs: 500,
    async strike() {
      await disk.fill();
      return { heal: () => disk.free() };
    },
    explains({ cause, exitCode, error, isComplete, marks }) {
      if (error !== undefined) return cause === "io" && marks.runs === 0;
      // Its own code, or that of the signal which has ended it. That of others is not its own.
      return (
        cause === "log-io-failed" &&
        isComplete === false &&
        (exitCode === KILLED || marks.endedAtMs !== undefined)
      );
    },
  };
}
