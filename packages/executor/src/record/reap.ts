import type { Client } from "@wfe-containerd/client";
import { forEachConcurrently, type OptionNames } from "@wfe-containerd/client/internal";
import { type Bridge, type BridgeOptions, parseBridge } from "../core/network/bridge.js";
import { LABELS } from "../core/plan/labels.js";
import type { Locality } from "../core/plan/machine-facts.js";
import { traceReap } from "../diagnostics/reap.js";
import { locateDaemon } from "../machine/locate.js";
import { checkDuration, checkOptions } from "../options.js";
import { abandonedSteps } from "./abandoned.js";
import { type FoundStep, findStep, findSteps } from "./found-step.js";
import { isClaimed } from "./is-claimed.js";
import { findDirectories, pileOfOutput } from "./left-directories.js";
import { findLeftTraces } from "./left-traces.js";
import type { Leftover, Pile, ReapReport } from "./leftover.js";
import { pileOf } from "./step-pile.js";
import { createTraceFinder } from "./step-traces.js";
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
  readonly isSpared?: (step: FoundStep) => boolean;
  /** Nothing is begun after its abort. */
  readonly signal?: AbortSignal;
}

export const REAP_OPTIONS: OptionNames<ReapOptions> = { dryRun: true, graceMs: true };
const DAEMON_OPTIONS: OptionNames<ReapDaemonOptions> = {
  ...REAP_OPTIONS,
  ioDir: true,
  bridge: {
    name: true,
    subnet: true,
    pluginDirs: true,
    masquerade: true,
    dns: true,
    dataDir: true,
  },
};

/**
 * How many piles are removed at a time. One that cannot be removed takes seconds, and must not delay others.
 */
const AT_A_TIME = 8;

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
  const madeBefore = Date.now() - checkDuration("reap", "graceMs", graceMs);
  const { bridge, ioDir, isSpared = () => false, signal = new AbortController().signal } = context;
  // Only root may end the shims of a daemon, and remove its control groups.
  const canSweep = process.getuid?.() === 0 && (context.locality ?? (await locateDaemon(client))) === "local";
  const finder = canSweep ? createTraceFinder(client, bridge) : undefined;

  // In this order: a step's records are made before its traces and its output, and removed after them.
  const traced = await finder?.ids();
  const directories = await findDirectories(client, { ioDir, madeBefore });
  const steps = await findSteps(client);
  const known = new Set(steps.map(({ id }) => id));

  const piles: Pile[] = [];
  for (const step of steps) {
    const isYoung = step.createdAt !== undefined && step.createdAt.getTime() > madeBefore;
    if (isYoung || !(await isLeft(client, step)) || isSpared(step)) continue;
    piles.push(await pileOf(client, step, reasonFor(step), finder));
  }
  piles.push(...(await findWorkLeases(client, madeBefore)));
  if (finder !== undefined && traced !== undefined) {
    const ids = [...traced].filter((id) => !known.has(id));
    piles.push(...(await findLeftTraces(client, finder, ids, madeBefore)));
  }
  for (const [id, path] of directories.outputs) if (!known.has(id)) piles.push(pileOfOutput(id, path));

  const clear = dryRun ? listAll : (some: readonly Pile[]) => removeAll(some, signal);
  const report = await clear(piles);
  if (!dryRun) {
    const failed = new Set(report.failed.map(({ stepId }) => stepId));
    for (const { stepId = "" } of report.removed) if (!failed.has(stepId)) abandonedSteps.delete(stepId);
  }
  const last = await clear(directories.private(report.removed));
  return { removed: [...report.removed, ...last.removed], failed: [...report.failed, ...last.failed] };
}

async function isLeft(client: Client, step: FoundStep): Promise<boolean> {
  if ((await isClaimed(step)) !== false) return false;
  if (step.labels[LABELS.owner] !== undefined) return true;
  // Its records may have been removed while they were listed, and its task before them.
  const again = await findStep(client, step.id);
  return again !== undefined && again.status !== undefined && again.labels[LABELS.owner] === undefined;
}

function reasonFor({ id, labels }: FoundStep): string {
  if (abandonedSteps.has(id)) return "its executor was closed before it could be removed";
  const [host, , , pid] = labels[LABELS.owner]?.split("/") ?? [];
  return host === undefined
    ? "its container and its lease are gone"
    : `its executor, process ${pid} on ${host}, has ended`;
}

async function listAll(piles: readonly Pile[]): Promise<ReapReport> {
  return { removed: piles.flat().map(({ leftover }) => leftover), failed: [] };
}

/** Removes each pile from its top, until a part fails. */
async function removeAll(piles: readonly Pile[], signal: AbortSignal): Promise<ReapReport> {
  const outcomes: (string | undefined)[][] = piles.map(() => []);
  const each = [...piles.entries()];
  const all = forEachConcurrently(each, { count: AT_A_TIME, signal }, async ([at, pile]) => {
    let kept: string | undefined;
    for (const { leftover, remove } of pile) {
      const failure = kept ?? (await remove().then(() => undefined, messageOf));
      if (failure !== undefined)
        kept ??= `it is kept as long as the ${leftover.kind} ${leftover.id} is there`;
      outcomes[at]?.push(failure);
    }
  });
  // After an abort, the rest was not begun.
  await all.catch((reason: unknown) => {
    if (!signal.aborted) throw reason;
  });
  const removed: Leftover[] = [];
  const failed: (Leftover & { readonly failure: string })[] = [];
  for (const [at, pile] of each) {
    for (const [index, { leftover }] of pile.entries()) {
      const list = outcomes[at] ?? [];
      if (index >= list.length) continue;
      const failure = list[index];
      if (failure === undefined) removed.push(leftover);
      else failed.push({ ...leftover, failure });
    }
  }
  return { removed, failed };
}

function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : String(reason);
}
