import { currentOwner } from "@wfe-containerd/client/internal";
import type { Bridge } from "../core/network/bridge.js";
import { LABELS } from "../core/plan/labels.js";
import type { KnownDaemon } from "../machine/machines.js";
import { startTimer } from "../timer.js";
import { createOverdueCheck } from "./clock.js";
import type { FoundStep } from "./found-step.js";
import type { ReapReport } from "./leftover.js";
import { type ReapOptions, reapDaemon } from "./reap.js";

export interface ReaperSettings {
  readonly bridge: Bridge;
  readonly ioDir: string | undefined;
  /** How often to run by itself, in milliseconds. 0: never. */
  readonly intervalMs: number;
  /** How long the steps of a dead executor are left to whoever recovers them, in milliseconds. */
  readonly orphanGraceMs: number;
  /**
   * The executor's daemons.
   *
   * @param connect whether to connect to its own daemon, if it has no connection yet.
   */
  daemons(connect: boolean): Promise<readonly KnownDaemon[]>;
}

/** Removes what dead processes left: when it is asked, and by itself. */
export interface Reaper {
  reap(options: ReapOptions): Promise<ReapReport>;
  /** From now on it also runs by itself. Further calls do nothing. */
  start(): void;
  /** Waits for what it does right now, but not for longer than this. */
  close(timeMs: number): Promise<void>;
}

/** The first steps come before the first run by itself, in milliseconds. */
const FIRST_MS = 10_000;

/** The limit of setTimeout, about 25 days: a longer delay would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

export function createReaper({ intervalMs, orphanGraceMs, daemons, ...context }: ReaperSettings): Reaper {
  const stop = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<unknown> | undefined;
  /** When a step without a living executor was first seen, by `performance.now()`. */
  let seen = new Map<string, number>();

  function schedule(delayMs: number): void {
    if (stop.signal.aborted) return;
    const turnMs = Math.min(delayMs, LONGEST_MS);
    timer = setTimeout(() => {
      // It may fail: the daemon may be away. Then the next run finds the same.
      running = runByItself()
        .catch(() => undefined)
        .finally(() => schedule(intervalMs));
    }, turnMs).unref();
  }

  async function runByItself(): Promise<void> {
    const now = new Map<string, number>();
    const outcomes = await Promise.allSettled((await daemons(false)).map((daemon) => clear(daemon, now)));
    // What this run could not look at keeps its time.
    const isWhole = outcomes.every(({ status }) => status === "fulfilled");
    seen = isWhole ? now : new Map([...seen, ...now]);
  }

  async function clear(daemon: KnownDaemon, now: Map<string, number>): Promise<void> {
    const { client } = daemon;
    const locality = await daemon.locality();
    const [, ownBoot] = (await currentOwner()).split("/");
    const isOverdue = createOverdueCheck(client);
    const isSpared = async (step: FoundStep): Promise<boolean> => {
      const { id, labels, hasContainer } = step;
      const since = seen.get(id) ?? performance.now();
      now.set(id, since);
      const [, boot] = labels[LABELS.owner]?.split("/") ?? [];
      // Two machines with one name may share a daemon. Then "an earlier boot" may be the other machine.
      if (locality === "remote" && boot !== ownBoot) return true;
      return hasContainer && performance.now() - since < orphanGraceMs && !(await isOverdue(step.recorded));
    };
    await reapDaemon(client, {}, { ...context, locality, isSpared, signal: stop.signal });
  }

  return {
    async reap(options) {
      const outcomes = await Promise.allSettled(
        (await daemons(true)).map(async ({ client, locality }) =>
          reapDaemon(client, options, { ...context, locality: await locality(), signal: stop.signal }),
        ),
      );
      const reports: ReapReport[] = [];
      for (const outcome of outcomes) {
        if (outcome.status === "rejected") throw outcome.reason;
        reports.push(outcome.value);
      }
      return {
        removed: reports.flatMap(({ removed }) => removed),
        failed: reports.flatMap(({ failed }) => failed),
      };
    },
    start() {
      if (timer === undefined && intervalMs > 0) schedule(Math.min(FIRST_MS, intervalMs));
    },
    async close(timeMs) {
      stop.abort();
      clearTimeout(timer);
      const late = startTimer(timeMs);
      await Promise.race([running, late.fired]);
      late.cancel();
    },
  };
}
