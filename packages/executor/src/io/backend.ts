import { rm } from "node:fs/promises";
import { join } from "node:path";
import { ExecutorError, isExecutorError } from "../error.js";
import { ioError } from "../io-error.js";
import type { Machine } from "../machine/machine.js";
import { openFifoIo, reopenFifoIo } from "./fifo.js";
import { openFileIo, type ReopenedIo, reopenFileIo } from "./file.js";
import type { IoRequest, StepIo } from "./io.js";
import { hasPipes, requirePipes } from "./require-pipes.js";
import { makeStdin } from "./stdin.js";
import { storeStdin } from "./stdin-file.js";

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
  async create(machine, directory, seal, request) {
    const { client } = machine;
    const { terminal, canOutlive } = request;
    // A person at a terminal waits for each character. From a file it comes a little later.
    const opened =
      terminal && !canOutlive
        ? openFifoIo(directory, request)
        : openFileIo(directory, { shared: !client.isLocal, seal, terminal });
    return withStdin(await opened, machine, directory, request);
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
  create: async (machine, directory, _, request) =>
    withStdin(await openFifoIo(directory, request), machine, directory, request),
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

function checkRequest(machine: Machine, { stdin, openStdin, terminal, canOutlive }: IoRequest): void {
  // What a terminal prints can go into a file, if no keys go to it.
  if (terminal && (stdin !== undefined || openStdin || !canOutlive))
    requirePipes(
      machine,
      "terminal",
      "a step or process without a terminal, whose input is a file or a pipe; or a daemon on this machine",
    );
  if (openStdin)
    requirePipes(
      machine,
      "stdin",
      "input that has an end, for a step that is not to be left; or a daemon on this machine",
    );
}

async function withStdin(
  io: StepIo,
  machine: Machine,
  directory: string,
  { stdin, openStdin, stop }: IoRequest,
): Promise<StepIo> {
  if (stdin === undefined && !openStdin) return io;
  const path = join(directory, "stdin");
  const withPath = { ...io, stdio: { ...io.stdio, stdin: path } };
  try {
    if (stdin !== undefined && !hasPipes(machine)) {
      await storeStdin(stdin, { path, stop });
      return { ...withPath, hasInput: true };
    }
    await makeStdin(path);
    return withPath;
  } catch (cause) {
    await io.close();
    // The directory is not the caller's yet.
    await rm(directory, { recursive: true, force: true }).catch(() => undefined);
    throw isExecutorError(cause) ? cause : ioError(`could not make the FIFO ${path}`, cause);
  }
}
