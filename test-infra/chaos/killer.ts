import { setTimeout as delay } from "node:timers/promises";
import type { TestDaemon } from "../daemon/daemon.js";
import { randomOf } from "../fuzz/random.js";
import type { Worker } from "./worker.js";

export interface KillerOptions {
  /** The mean time between two kills, in milliseconds: of the daemon, and of the worker. */
  readonly daemonMs: number;
  readonly workerMs: number;
  /** Gives the same kills again, as far as the machine's timing allows. */
  readonly seed: number;
}

/** Kills the daemon and a worker at random, again and again. */
export interface Killer extends AsyncDisposable {
  readonly daemonKills: number;
  readonly workerKills: number;
  /** From now on this worker may be killed, until it ends. */
  aim(worker: Worker): void;
}

/** How many of the daemon's kills are kills of the worker, too. */
const BOTH = 0.5;

/** Disposing of it leaves a daemon that runs. */
export function startKiller({ daemon }: TestDaemon, { daemonMs, workerMs, seed }: KillerOptions): Killer {
  const random = randomOf(seed);
  const over = new AbortController();
  let daemonKills = 0;
  let workerKills = 0;
  let target: Worker | undefined;

  function killWorker(): void {
    if (target === undefined) return;
    workerKills++;
    target.kill();
    target = undefined;
  }

  async function killDaemon(): Promise<void> {
    while (await pause(daemonMs * 2 * random(), over.signal)) {
      // Often both at once: then nobody undoes what was begun.
      if (random() < BOTH) killWorker();
      daemon.kill("SIGKILL");
      await daemon.exited;
      daemonKills++;
      await delay(500 * random());
      await daemon.restart();
    }
  }

  const killing = killDaemon();
  // It is awaited at the end.
  killing.catch(() => undefined);
  return {
    get daemonKills() {
      return daemonKills;
    },
    get workerKills() {
      return workerKills;
    },
    aim(worker) {
      target = worker;
      const life = new AbortController();
      void pause(workerMs * 2 * random(), life.signal).then((isTime) => {
        if (isTime) killWorker();
      });
      void worker.ended.then(() => {
        life.abort();
        if (target === worker) target = undefined;
      });
    },
    async [Symbol.asyncDispose]() {
      over.abort();
      await killing;
    },
  };
}

/** @returns false if the signal ended the pause. */
async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  return delay(ms, true, { signal }).catch(() => false);
}
