import type { Client } from "@wfe-containerd/client";
import type { OptionNames } from "@wfe-containerd/client/internal";
import { BRIDGE_OPTIONS, type Bridge, type BridgeOptions, parseBridge } from "../core/network/bridge.js";
import { LABELS } from "../core/plan/labels.js";
import type { Locality } from "../core/plan/machine-facts.js";
import { traceReap } from "../diagnostics/reap.js";
import { locateDaemon } from "../machine/locate.js";
import { traceFinderOf } from "../machine/step-traces.js";
import { checkDuration, checkOptions } from "../options.js";
import { killProcess } from "../process/kill-process.js";
import { abandonedSteps } from "./abandoned.js";
import { claimStep } from "./claim.js";
import { createOverdueCheck } from "./clock.js";
import { type FoundStep, findStep, findSteps } from "./found-step.js";
import { isClaimed } from "./is-claimed.js";
import { findDirectories, pileOfOutput } from "./left-directories.js";
import { findLeftTraces } from "./left-traces.js";
import type { ClaimablePile, Pile, PileClaim, ReapReport } from "./leftover.js";
import { isLeft } from "./recorded-step.js";
import { listPiles, removePiles } from "./remove-piles.js";
import { pileOf } from "./step-pile.js";
import { findWorkLeases } from "./work-leases.js";

/** Options of `Executor.reap`. */
export interface ReapOptions {
  /** Only report what would be removed. @default false */
  readonly dryRun?: boolean | undefined;
  /** Leave alone what was made less than this ago, in milliseconds. @default 0 */
  readonly graceMs?: number | undefined;
}

/** Options of {@link reap}. */
export interface ReapDaemonOptions extends ReapOptions {
  /** The executors' option `ioDir`. Default: `WFE_IO_DIR`. Private directories are found without it. */
  readonly ioDir?: string | undefined;
  /** The executors' option `bridge`. */
  readonly bridge?: BridgeOptions | undefined;
}

/** What an executor knows besides. */
export interface ReapContext {
  readonly bridge: Bridge;
  readonly ioDir: string | undefined;
  /** Where the daemon is, if that is known. */
  readonly locality?: Locality;
  /** Whether to leave a step alone, though nobody claims it. */
  readonly isSpared?: (step: FoundStep) => Promise<boolean>;
  /** Nothing is begun after its abort. */
  readonly signal?: AbortSignal;
}

export const REAP_OPTIONS: OptionNames<ReapOptions> = { dryRun: true, graceMs: true };
const DAEMON_OPTIONS: OptionNames<ReapDaemonOptions> = {
  ...REAP_OPTIONS,
  ioDir: true,
  bridge: BRIDGE_OPTIONS,
};

/**
 * Finds and removes what is left of steps and other work in the client's namespace, and what no living
 * process claims. It may run beside executors and other calls of it. It leaves alone what other programs
 * made, and what a process made that cannot be seen from here: on another machine, or in another PID
 * namespace. On a daemon of this machine it also finds what the runtime has left.
 *
 * It ends running steps whose executor has ended. So let `recover` take over what it can before.
 *
 * @throws ExecutorError `invalid-argument`; ContainerdError if the daemon cannot be asked.
 */
export async function reap(client: Client, options: ReapDaemonOptions = {}): Promise<ReapReport> {
  checkOptions("reap", options, DAEMON_OPTIONS);
  const { bridge, ioDir = process.env["WFE_IO_DIR"], ...rest } = options;
  return reapDaemon(client, rest, { bridge: parseBridge(bridge), ioDir });
}

/** Like {@link reap}, for an executor. */
export function reapDaemon(client: Client, options: ReapOptions, context: ReapContext): Promise<ReapReport> {
  return traceReap(client, options.dryRun ?? false, () => removeLeftovers(client, options, context));
}

async function removeLeftovers(
  client: Client,
  options: ReapOptions,
  context: ReapContext,
): Promise<ReapReport> {
  const { dryRun = false, graceMs = 0 } = options;
  // The clock has whole milliseconds here, files have parts of them: the present millisecond counts as past.
  const madeBefore = Date.now() + 1 - checkDuration("reap", "graceMs", graceMs);
  const { bridge, ioDir, isSpared = async () => false, signal = new AbortController().signal } = context;
  const finder = traceFinderOf(client, bridge, context.locality ?? (await locateDaemon(client)));

  // In this order: a step's records are made before its traces and its output, and removed after them.
  const traced = await finder?.ids();
  const directories = await findDirectories(client, { ioDir, madeBefore });
  const steps = await findSteps(client);
  const known = new Set(steps.map(({ id }) => id));

  const piles: ClaimablePile[] = [];
  const isOverdue = createOverdueCheck(client);
  for (const step of steps)
    if (isRunningAlone(step) && (await isOverdue(step.recorded)))
      piles.push({ pile: [pileOfProcess(client, step.id)] });
  for (const step of steps) {
    const isYoung = step.createdAt !== undefined && step.createdAt.getTime() > madeBefore;
    if (isYoung || !(await isUnclaimed(client, step)) || (await isSpared(step))) continue;
    const pile = await pileOf(client, step, reasonFor(step), finder);
    piles.push({ pile, claim: () => claim(client, step) });
  }
  piles.push(...(await findWorkLeases(client, madeBefore, known)).map((pile) => ({ pile })));
  if (finder !== undefined && traced !== undefined) {
    const ids = [...traced].filter((id) => !known.has(id));
    piles.push(...(await findLeftTraces(client, finder, ids, madeBefore)));
  }
  for (const [id, path] of directories.outputs)
    if (!known.has(id)) piles.push({ pile: pileOfOutput(id, path) });

  const clear = (some: readonly ClaimablePile[]): Promise<ReapReport> =>
    dryRun ? listPiles(some) : removePiles(some, signal);
  const report = await clear(piles);
  const last = await clear(directories.private(report.removed).map((pile) => ({ pile })));
  return { removed: [...report.removed, ...last.removed], failed: [...report.failed, ...last.failed] };
}

/** Whether a step was left to itself, and still runs: nobody but us sees to its time-out. */
function isRunningAlone({ recorded, status }: FoundStep): boolean {
  return isLeft(recorded) && (status === "running" || status === "paused");
}

/** Ends its process. The rest of the step stays, with its exit code. */
function pileOfProcess(client: Client, id: string): Pile[number] {
  const reason = "its time-out is over, and it was left to itself; its output stays";
  return {
    leftover: { kind: "process", id, stepId: id, reason },
    remove: () => killProcess(client, { containerId: id }),
  };
}

async function isUnclaimed(client: Client, step: FoundStep): Promise<boolean> {
  if ((await isClaimed(step)) !== false) return false;
  if (step.labels[LABELS.owner] !== undefined) return true;
  // Its records may have been removed while they were listed, and its task before them.
  const again = await findStep(client, step.id);
  return again !== undefined && again.status !== undefined && again.labels[LABELS.owner] === undefined;
}

/** So that no process takes the step over while it is removed, and no second one removes it. */
async function claim(client: Client, { id, recorded }: FoundStep): Promise<PileClaim | undefined> {
  const hasRecord = recorded.container !== undefined || recorded.lease !== undefined;
  // Nobody takes over a step without records, or one that was left to itself.
  if (!hasRecord || isLeft(recorded))
    return {
      async end(isRemoved) {
        // It may have been taken over before it was left.
        if (isRemoved) for (const { lease } of recorded.claims) await lease.delete();
      },
    };
  const claimed = await claimStep(client, recorded);
  return (
    claimed && {
      async end(isRemoved) {
        if (isRemoved) return claimed.removeClaims();
        // Its record names this process now, which lives and does nothing more for it.
        abandonedSteps.add(id);
        await claimed.giveUp();
      },
    }
  );
}

function reasonFor({ id, labels, recorded, status }: FoundStep): string {
  if (isLeft(recorded) && status !== "created") return "it was left to itself, and has ended";
  if (abandonedSteps.has(id)) return "its executor was closed before it could be removed";
  const [host, , , pid] = labels[LABELS.owner]?.split("/") ?? [];
  return host === undefined
    ? "its container and its lease are gone"
    : `its executor, process ${pid} on ${host}, has ended`;
}
