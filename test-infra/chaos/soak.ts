import { createExecutor } from "@wfe-containerd/executor";
import type { TestDaemon } from "../daemon/daemon.js";
import { startPath } from "../daemon/path.js";
import type { RuncStandIn } from "../daemon/runc-stand-in.js";
import { mountMemory, type SmallDisk } from "../daemon/small-disk.js";
import { cutPath } from "./fault/cut-path.js";
import { endDaemon } from "./fault/end-daemon.js";
import { failingRunc } from "./fault/failing-runc.js";
import type { Fault } from "./fault/fault.js";
import { fillOutputDisk } from "./fault/fill-output-disk.js";
import { fillRootDisk } from "./fault/fill-root-disk.js";
import { killShim } from "./fault/kill-shim.js";
import { killWorker } from "./fault/kill-worker.js";
import { slowRunc } from "./fault/slow-runc.js";
import { stallPath } from "./fault/stall-path.js";
import { stopDaemon } from "./fault/stop-daemon.js";
import { stopShim } from "./fault/stop-shim.js";
import { createKiller, type KillerOptions } from "./killer.js";
import { makeRanDir, removeRanDir, takeMarks } from "./marks.js";
import { numberedSteps } from "./numbered-step.js";
import { createShare, type Share, type SoakMemory } from "./share.js";
import { countStrikes, type StrikeCounts } from "./strike-counts.js";
import { createTally, type SoakFaults } from "./tally.js";
import { startWorker, type WorkerSettings } from "./worker.js";

const SCRIPT = new URL("worker.mjs", import.meta.url);
const OUTPUT_DISK_BYTES = 16 * 1024 * 1024;
/** What happens to the workers. Each has a third of the steps. */
const ROLES = ["steady", "killed", "distant"] as const;

export interface SoakOptions extends Pick<KillerOptions, "log" | "phasesPerStrike" | "seed"> {
  readonly steps: number;
  /** How many steps run at the same time. */
  readonly atOnce: number;
  /** How many steps a round has. After each, everything is checked and counted. */
  readonly stepsPerRound: number;
  /** Only faults with such names. */
  readonly only?: RegExp | undefined;
}

/** What the daemon of the test was started with. */
export interface SoakParts {
  readonly runc: RuncStandIn;
  /** Its root. */
  readonly rootDisk: SmallDisk;
}

export interface SoakReport extends SoakFaults {
  readonly steps: number;
  /** How often each fault has struck, by phase. */
  readonly strikes: StrikeCounts;
  /** How often which fault made something else of a step than its own result. */
  readonly explained: Readonly<Record<string, number>>;
  /** How many steps a new process took over from a dead one. */
  readonly recovered: number;
  /** Of a process that is never killed. */
  readonly memory: SoakMemory;
  readonly seconds: number;
}

/**
 * Runs numbered steps in three processes, while one fault after the other strikes: one process has a small
 * disk for its output, one is killed again and again, one reaches the daemon over TCP. A killed process is
 * replaced by one that recovers its steps. Checks every exit code, every byte of output, and that no step ran
 * twice; and after each round that nothing is left.
 */
export async function soak(
  at: TestDaemon,
  { runc, rootDisk }: SoakParts,
  options: SoakOptions,
): Promise<SoakReport> {
  const { steps: count, atOnce, stepsPerRound, seed, only = /./ } = options;
  const startedAt = performance.now();
  const steps = numberedSteps(count);
  const tally = createTally(steps);
  const ranDir = await makeRanDir(at);
  await using outputDisk = await mountMemory(at.ioDir, { sizeBytes: OUTPUT_DISK_BYTES });
  await using path = await startPath(at.daemon.socketPath);
  const before = await at.inventory();
  const roleOf = new Map(steps.map(({ name }, number) => [name, ROLES[number % ROLES.length]]));
  const isRemote = (name: string): boolean => roleOf.get(name) === "distant";
  let victim: Share | undefined;
  const faults: readonly Fault[] = [
    endDaemon(at, { signal: "SIGKILL", isRemote }),
    endDaemon(at, { signal: "SIGTERM", isRemote }),
    stopDaemon(at),
    killShim(at),
    stopShim(at),
    ...(["create", "start", "delete"] as const).flatMap((command) => [
      slowRunc(runc, command),
      failingRunc(runc, command),
    ]),
    cutPath(path),
    stallPath(path),
    fillOutputDisk(outputDisk),
    fillRootDisk(rootDisk),
    killWorker(() => victim?.worker),
  ];
  await using killer = createKiller({ ...options, faults: faults.filter(({ name }) => only.test(name)) });
  const { client, ioDir, daemon } = at;
  const settings = {
    address: daemon.address,
    namespace: client.namespace,
    ioDir,
    ranDir,
    runId: `soak-${seed}`,
  };
  const share = (own: Partial<WorkerSettings>): Share =>
    createShare({
      tally,
      log: options.log,
      atOnce: Math.ceil(atOnce / 3),
      start: (onLine) => startWorker(SCRIPT, { ...settings, ...own }, onLine),
      onPhase: killer.see,
      onLost: (lost) => lost,
    });
  await using steady = share({ ioDir: outputDisk.directory });
  await using killed = share({});
  await using distant = share({ address: path.address, keepAliveMs: 1_000 });
  victim = killed;
  const shares = { steady, killed, distant };
  await using executor = createExecutor({ client, ioDir, reapIntervalMs: false });

  for (let first = 0; first < count; first += stepsPerRound) {
    const round = steps.slice(first, first + stepsPerRound);
    killer.goOn();
    await Promise.all(
      ROLES.map((role) => shares[role].run(round.filter(({ name }) => roleOf.get(name) === role))),
    );
    await killer.rest();
    await tally.judge(killer.strikes, (name) => takeMarks(ranDir, name));
    await executor.reap();
    await at.expectNothingLeft(before);
  }
  await Promise.all(ROLES.map((role) => shares[role].end()));
  await removeRanDir(ranDir);
  return {
    ...tally.faults,
    steps: tally.done,
    strikes: countStrikes(killer.strikes),
    explained: tally.explained,
    recovered: tally.recovered,
    memory: steady.memory(),
    seconds: (performance.now() - startedAt) / 1000,
  };
}
