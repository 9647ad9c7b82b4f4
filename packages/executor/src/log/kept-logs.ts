import { onLowDisk } from "../io/disk.js";
import type { Log } from "./log.js";

/** More logs than this are not kept for handles that nobody disposes of. Each takes two descriptors. */
const MOST_LOGS = 64;
/** Nor is more space of the disk, but for the newest log. */
const MOST_BYTES = 1024 ** 3;
/** Freeing less than this does not help a disk that is nearly full. */
const RELIEF_BYTES = 16 * 1024 * 1024;

/** The logs of steps that have ended, whose handles were not disposed of yet: only the newest ones. */
export interface KeptLogs {
  add(log: Log): void;
  /** Closes a log. */
  remove(log: Log): Promise<void>;
  close(): Promise<void>;
}

export function createKeptLogs(): KeptLogs {
  /** The oldest first. */
  const logs = new Set<Log>();

  async function remove(log: Log): Promise<void> {
    logs.delete(log);
    await log.close();
  }

  async function dropOld(): Promise<void> {
    let bytes = 0;
    for (const [at, log] of [...logs].toReversed().entries()) {
      bytes += await log.storedBytes();
      if (at > 0 && (at >= MOST_LOGS || bytes > MOST_BYTES)) await remove(log);
    }
  }

  /** Also of the newest: a step that runs needs the disk more than one that has ended. */
  async function dropAll(): Promise<boolean> {
    const dropped = [...logs];
    const sizes = await Promise.all(dropped.map((log) => log.storedBytes()));
    await Promise.all(dropped.map(remove));
    return sizes.reduce((sum, bytes) => sum + bytes, 0) >= RELIEF_BYTES;
  }

  const endRelief = onLowDisk(dropAll);
  return {
    add(log) {
      logs.add(log);
      void dropOld().catch(() => undefined);
    },
    remove,
    async close() {
      endRelief();
      await Promise.all([...logs].map(remove));
    },
  };
}
