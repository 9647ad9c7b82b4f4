import type { UnreleasedResource } from "../unreleased.js";
import { EXEC, PHASE } from "./channels.js";
import { NO_END, nameOf, type ObservedRun, traceRun } from "./run.js";

interface ObservedExec extends ObservedRun {
  readonly host: { readonly stepId: string | undefined };
  readonly process: unknown;
}

/** Runs a further process, and publishes it and its phases if somebody listens. Never rejects. */
export async function traceExec<Run extends ObservedExec>(
  run: Run,
  runExec: (run: Run) => Promise<readonly UnreleasedResource[]>,
): Promise<readonly UnreleasedResource[]> {
  if (!EXEC.hasSubscribers && !PHASE.hasSubscribers) return runExec(run);
  const { id, host, process } = run;
  return traceRun(EXEC, { id, stepId: host.stepId, name: nameOf(process), ...NO_END }, run, runExec);
}
