import { execFile } from "node:child_process";
import { lstat } from "node:fs/promises";
import { promisify } from "node:util";
import { createDeferred, type Deferred } from "@wfe-containerd/client/internal";

interface Request {
  readonly paths: readonly string[];
  readonly made: Deferred<void>;
}

/** How many requests one process serves. Far below the kernel's limit for arguments. */
const MOST_REQUESTS = 100;

const waiting: Request[] = [];
let isBusy = false;

/**
 * Makes FIFOs that only this process's user can open. Node has no mkfifo(3), so a process makes them: one for
 * all steps that ask for theirs while another one runs. To start a process takes as much CPU as several calls
 * of the daemon.
 *
 * @throws the error of mkfifo(1).
 */
export function makeFifos(paths: readonly string[]): Promise<void> {
  const made = createDeferred<void>();
  waiting.push({ paths, made });
  if (!isBusy) void makeAll();
  return made.promise;
}

async function makeAll(): Promise<void> {
  isBusy = true;
  while (waiting.length > 0) {
    const requests = waiting.splice(0, MOST_REQUESTS);
    const args = ["-m", "600", ...requests.flatMap(({ paths }) => paths)];
    await promisify(execFile)("mkfifo", args).then(
      () => requests.forEach(({ made }) => void made.resolve()),
      (reason: unknown) => Promise.all(requests.map((request) => settle(request, reason))),
    );
  }
  isBusy = false;
}

/** One bad path makes mkfifo fail. It has made the other ones. */
async function settle({ paths, made }: Request, reason: unknown): Promise<void> {
  const isMade = async (path: string): Promise<boolean> => (await lstat(path)).isFIFO();
  const found = await Promise.all(paths.map(isMade)).catch(() => [false]);
  if (found.every(Boolean)) made.resolve();
  else made.reject(reason);
}
