import { formatReference, parseReference } from "@wfe-containerd/client";
import type { UnreleasedResource } from "../unreleased.js";
import { PHASE, STEP } from "./channels.js";
import { NO_END, nameOf, type ObservedRun, traceRun } from "./run.js";

interface ObservedStep extends ObservedRun {
  readonly attempt: number;
  readonly admitted: { readonly input: unknown };
}

/** Runs a step, and publishes it and its phases if somebody listens. Never rejects. */
export async function traceStep<Run extends ObservedStep>(
  run: Run,
  runStep: (run: Run) => Promise<readonly UnreleasedResource[]>,
): Promise<readonly UnreleasedResource[]> {
  if (!STEP.hasSubscribers && !PHASE.hasSubscribers) return runStep(run);
  const { id, attempt, admitted } = run;
  const message = { id, attempt, name: nameOf(admitted.input), image: imageOf(admitted.input), ...NO_END };
  return traceRun(STEP, message, run, runStep);
}

/** An invalid text may have a password in it, so it is not shown. */
function imageOf(input: unknown): string | undefined {
  const { image } = (input ?? {}) as { image?: unknown };
  if (typeof image !== "string") return undefined;
  try {
    return formatReference(parseReference(image));
  } catch {
    return undefined;
  }
}
