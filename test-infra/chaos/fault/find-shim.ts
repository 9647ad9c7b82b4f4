import { setTimeout as delay } from "node:timers/promises";
import { listProcesses, shimsAmong } from "../../daemon/processes.js";

/** How long a shim may take to be started, in milliseconds. */
const APPEAR_MS = 2_000;
const LOOK_AGAIN_MS = 10;

/** Finds a container's shim. Waits a while for one that is not started yet. */
export async function findShim(socketPath: string, id: string): Promise<number | undefined> {
  const giveUpAt = performance.now() + APPEAR_MS;
  do {
    const shims = shimsAmong(await listProcesses(), socketPath);
    // A process that only starts a shim, or cleans up after one, has a command as its last argument.
    const shim = shims.find(({ args }) => args.includes(id) && !/^(?:start|delete)$/.test(args.at(-1) ?? ""));
    if (shim !== undefined) return shim.pid;
    await delay(LOOK_AGAIN_MS);
  } while (performance.now() < giveUpAt);
  return undefined;
}

/** @returns false if the process has ended. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
