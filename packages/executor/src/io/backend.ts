import { ExecutorError } from "../error.js";
import type { Machine } from "../machine/machine.js";
import { openFifoIo } from "./fifo.js";
import { openFileIo } from "./file.js";
import type { StepIo } from "./io.js";

/** A way for output to get from the daemon's machine to this process. */
export interface IoBackend {
  /** @throws ExecutorError `invalid-argument` if this way does not work for the machine. */
  check(machine: Machine): void;
  /** Makes the directory of a step's output, and opens the output in it. */
  create(machine: Machine, directory: string): Promise<StepIo>;
}

/** For `ioMode: "file"`. */
export const FILE_IO: IoBackend = {
  check: () => undefined,
  create: ({ client }, directory) => openFileIo(directory, { shared: !client.isLocal }),
};

/** For `ioMode: "fifo"`. */
export const FIFO_IO: IoBackend = {
  check({ client }) {
    if (client.isLocal) return;
    throw new ExecutorError(
      `ioMode: "fifo" needs a daemon on this machine, and ${client.address} may be on another; allowed: "file"`,
      { kind: "invalid-argument" },
    );
  },
  create: (_, directory) => openFifoIo(directory),
};
