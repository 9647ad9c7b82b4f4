import { ExecutorError } from "../error.js";
import type { Machine } from "../machine/machine.js";
import { openFifoIo, reopenFifoIo } from "./fifo.js";
import { openFileIo, type ReopenedIo, reopenFileIo } from "./file.js";
import type { StepIo } from "./io.js";

/** A way for output to get from the daemon's machine to this process. */
export interface IoBackend {
  readonly mode: "file" | "fifo";
  /** @throws ExecutorError `invalid-argument` if this way does not work for the machine. */
  check(machine: Machine): void;
  /**
   * Makes the directory of a step's output, and opens the output in it.
   *
   * @param seal what marks the end of each stream.
   */
  create(machine: Machine, directory: string, seal: Uint8Array): Promise<StepIo>;
  /** Opens the output of a step that another process has started. */
  reopen(machine: Machine, directory: string, seal: Uint8Array): Promise<ReopenedIo>;
  /** Whether several processes can read it at once, from its beginning. */
  readonly isStored: boolean;
}

/** For `ioMode: "file"`. */
export const FILE_IO: IoBackend = {
  mode: "file",
  check: () => undefined,
  create: ({ client }, directory, seal) => openFileIo(directory, { shared: !client.isLocal, seal }),
  reopen: ({ client }, directory, seal) => reopenFileIo(directory, { shared: !client.isLocal, seal }),
  isStored: true,
};

/** For `ioMode: "fifo"`. */
export const FIFO_IO: IoBackend = {
  mode: "fifo",
  check({ client }) {
    if (client.isLocal) return;
    throw new ExecutorError(
      `ioMode: "fifo" needs a daemon on this machine, and ${client.address} may be on another; allowed: "file"`,
      { kind: "invalid-argument" },
    );
  },
  create: (_, directory) => openFifoIo(directory),
  reopen: async (_, directory) => ({
    ...(await reopenFifoIo(directory)),
    takeOver: async () => undefined,
    skipFreed: async () => ({ stdout: 0, stderr: 0 }),
  }),
  isStored: false,
};

/** The way that the output of a step goes which another process has started. */
export function backendOf(mode: IoBackend["mode"]): IoBackend {
  return mode === "file" ? FILE_IO : FIFO_IO;
}
