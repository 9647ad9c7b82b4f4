import { createExecutor } from "@wfe-containerd/executor";
import type { TestDaemon } from "../daemon/daemon.js";
import type { RuncStandIn } from "../daemon/runc-stand-in.js";
import { endDaemon } from "./fault/end-daemon.js";
import { failingRunc } from "./fault/failing-runc.js";
import { killWorker } from "./fault/kill-worker.js";
import { slowRunc } from "./fault/slow-runc.js";
import { stopDaemon } from "./fault/stop-daemon.js";
import { createKiller } from "./killer.js";
import { makeRanDir, removeRanDir, takeMarks } from "./marks.js";
import { numberedSteps } from "./numbered-step.js";
import { createShare, type Share } from "./share.js";
import type { SoakOptions, SoakReport } from "./soak.js";
import { countStrikes } from "./strike-counts.js";
import { createTally } from "./tally.js";
import { startWorker } from "./worker.js";

const SCRIPT = new URL("session-worker.mjs", import.meta.url);

export interface SessionSoakReport extends Omit<SoakReport, "recovered" | "memory"> {
  /** How often a new process connected to the session of a dead one. */
  readonly connected: number;
  /** How many steps ran in a session when their process was killed. Nobody has their results. */
  readonly interrupted: number;
}

/**
 * Runs numbered steps in two sessions of a process, while one fault after the other strikes. One session goes
 * on when the process is killed, and the next process connects to it; the other ends with its process. Checks
 * what `soak` checks.
 */
export async function soakSessions(
  at: TestDaemon,
  runc: RuncStandIn,
  options: Omit<SoakOptions, "stepsPerRound">,
): Promise<SessionSoakReport> {
  const startedAt = performance.now();
  const steps = numberedSteps(options.steps);
  const tally = createTally(steps);
  const before = await at.inventory();
  const ranDir = await makeRanDir(at);
  const { client, ioDir } = at;
  const settings = { address: at.daemon.address, namespace: client.namespace, ioDir, ranDir };
  let interrupted = 0;
  let victim: Share | undefined;
  const faults = [
    endDaemon(at, { signal: "SIGKILL", inSessions: true }),
    endDaemon(at, { signal: "SIGTERM", inSessions: true }),
    stopDaemon(at),
    slowRunc(runc, "exec"),
    failingRunc(runc, "exec"),
    killWorker(() => victim?.worker),
  ];
  await using killer = createKiller({ ...options, faults });
  await using share = createShare({
    tally,
    log: options.log,
    atOnce: options.atOnce,
    start: (onLine) => startWorker(SCRIPT, settings, onLine),
    onPhase: killer.see,
    onLost(lost) {
      interrupted += lost.length;
      for (const { name } of lost) tally.giveUp(name);
      return [];
    },
  });
  victim = share;
  killer.goOn();
  await share.run(steps);
  await killer.rest();
  await share.end();
  await using executor = createExecutor({ client, ioDir, reapIntervalMs: false });
  await executor.reap();
  await tally.judge(killer.strikes, (name) => takeMarks(ranDir, name));
  await at.expectNothingLeft(before);
  await removeRanDir(ranDir);
  return {
    ...tally.faults,
    steps: tally.done,
    strikes: countStrikes(killer.strikes),
    explained: tally.explained,
    connected: tally.connected,
    interrupted,
    seconds: (performance.now() - startedAt) / 1000,
  };
}
