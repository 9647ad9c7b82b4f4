import { lstat, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import type { Client } from "@wfe-containerd/client";
import { ExecutorError } from "../error.js";
import { ioError } from "../io-error.js";
import { makePrivateDirectory, removeIfUnused } from "./private-directory.js";

/** Where the directories for steps' output are made. */
export interface IoDirectory {
  /**
   * The directory that contains the steps' directories: the given one, or else the one in which a private
   * directory will be made.
   */
  readonly paths: readonly string[];
  /** The path of a step's own directory, which is not made yet. */
  forStep(client: Client, id: string): Promise<string>;
  /** Removes a private directory if no step's output is in it; a given one stays. */
  remove(): Promise<void>;
}

/**
 * Manages the directory for the output of one executor's steps. It is looked at again for each step: the disk
 * may come back, and a program that cleans `/tmp` may remove an idle directory.
 *
 * @param given a directory that is shared with the daemon's machine. Without it, a private one is made at the
 * first step.
 * @param owner identifies this process.
 */
export function createIoDirectory(given: string | undefined, owner: () => Promise<string>): IoDirectory {
  let own: string | undefined;
  let making: Promise<string> | undefined;

  async function privateDirectory(): Promise<string> {
    if (own !== undefined && (await isDirectory(own))) return own;
    making ??= makePrivateDirectory(owner).finally(() => {
      making = undefined;
    });
    own = await making;
    return own;
  }

  return {
    paths: [given ?? tmpdir()],
    async forStep(client, id) {
      if (given !== undefined) return join(await checkDirectory(given), id);
      if (!client.isLocal) {
        throw new ExecutorError(
          `ioDir: is missing, and the daemon at ${client.address} may be on another machine; allowed: a directory that both machines see at the same path, in ioDir or WFE_IO_DIR`,
          { kind: "invalid-argument" },
        );
      }
      return join(await privateDirectory(), id);
    },
    async remove() {
      if (own !== undefined) await removeIfUnused(own);
    },
  };
}

async function isDirectory(path: string): Promise<boolean> {
  return lstat(path).then(
    (status) => status.isDirectory(),
    () => false,
  );
}

/** Refuses a directory in which another user has put a link, or could put one. */
async function checkDirectory(path: string): Promise<string> {
  const refuse = (problem: string, allowed: string): never => {
    throw new ExecutorError(`ioDir: ${JSON.stringify(path)} ${problem}; allowed: ${allowed}`, {
      kind: "invalid-argument",
    });
  };
  if (!isAbsolute(path) || path.includes("\0"))
    refuse("is not an absolute path", "an absolute path; example: /var/lib/wfe-io");
  await mkdir(path, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw ioError(`could not make the directory ioDir ${path}`, cause);
  });
  const status = await lstat(path);
  if (!status.isDirectory()) refuse("is not a directory", "a directory, not a link to one");
  const isOpenToOthers = (status.mode & 0o022) !== 0 && (status.mode & 0o1000) === 0;
  if (isOpenToOthers)
    refuse("can be written by other users", "a directory that only its owner can write; example: chmod go-w");
  const user = process.getuid?.();
  if (user !== undefined && status.uid !== user && status.uid !== 0) {
    refuse(`belongs to user ${status.uid}`, `a directory of user ${user} or root`);
  }
  return path;
}
