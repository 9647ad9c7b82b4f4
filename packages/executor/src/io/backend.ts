import { join } from "node:path";
import { ExecutorError } from "../error.js";
import { ioError } from "../io-error.js";
import type { Machine } from "../machine/machine.js";
import { openFifoIo, reopenFifoIo } from "./fifo.js";
import { openFileIo, type ReopenedIo, reopenFileIo } from "./file.js";
import type { IoRequest, StepIo } from "./io.js";
import { requirePipes } from "./require-pipes.js";
import { makeStdin } from "./stdin.js";

/** A way for output to get from the daemon's machine to this process. */
export interface IoBackend {
  readonly mode: "file" | "fifo";
  /**
   * @throws ExecutorError `invalid-argument` if this way does not work for the machine; `refused` if it
   * cannot do what is asked.
   */
  check(machine: Machine, request: IoRequest): void;
  /**
   * Makes the directory of a process's streams, and opens its output in it.
   *
   * @param seal what marks the end of each stream.
   */
  create(machine: Machine, directory: string, seal: Uint8Array, request: IoRequest): Promise<StepIo>;
  /** Opens the output of a step that another process has started. */
  reopen(machine: Machine, directory: string, seal: Uint8Array): Promise<ReopenedIo>;
  /** Whether several processes can read it at once, from its beginning. */
  readonly isStored: boolean;
}

/** For `ioMode: "file"`. */
export const FILE_IO: IoBackend = {
  mode: "file",
  check: checkRequest,
  async create({ client }, directory, seal, request) {
    const { terminal, canOutlive } = request;
    // A person at a terminal waits for each character. From a file it comes a little later.
    const opened =
      terminal && !canOutlive
        ? openFifoIo(directory, request)
        : openFileIo(directory, { shared: !client.isLocal, seal, terminal });
    return withStdin(await opened, directory, request);
  },
  reopen: ({ client }, directory, seal) => reopenFileIo(directory, { shared: !client.isLocal, seal }),
  isStored: true,
};

/** For `ioMode: "fifo"`. */
export const FIFO_IO: IoBackend = {
  mode: "fifo",
  check(machine, request) {
    const { client } = machine;
    if (client.isLocal) return checkRequest(machine, request);
    throw new ExecutorError(
      `ioMode: "fifo" needs a daemon on this machine, and ${client.address} may be on another; allowed: "file"`,
      { kind: "invalid-argument" },
    );
  },
  create: async (_, directory, __, request) =>
    withStdin(await openFifoIo(directory, request), directory, request),
  reopen: async (_, directory) => ({
    ...(await reopenFifoIo(directory)),
    caughtUp: Promise.resolve(),
    takeOver: async () => undefined,
    closedBy: async () => false,
    skipFreed: async () => ({ stdout: 0, stderr: 0 }),
  }),
  isStored: false,
};

/** The way that the output of a step goes which another process has started. */
export function backendOf(mode: IoBackend["mode"]): IoBackend {
  return mode === "file" ? FILE_IO : FIFO_IO;
}

function checkRequest(machine: Machine, { stdin, terminal, canOutlive }: IoRequest): void {
  const allowed = "a step or process without it; or a daemon on this machine";
  // What a terminal prints can go into a file, if no keys go to it.
  if (terminal && (stdin || !canOutlive)) requirePipes(machine, "terminal", allowed);
  if (stdin) requirePipes(machine, "stdin", allowed);
}

async function withStdin(io: StepIo, directory: string, { stdin }: IoRequest): Promise<StepIo> {
  if (!stdin) return io;
  const path = join(directory, "stdin");
  try {
    await makeStdin(path);
  } catch (cause) {
    await io.close();
    throw ioError(`could not make the FIFO ${path}`, cause);
  }
  return { ...io, stdio: { ...io.stdio, stdin: path } };
}
