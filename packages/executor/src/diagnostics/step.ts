import { formatReference, parseReference } from "@wfe-containerd/client";
import type { Running } from "@wfe-containerd/client/internal";
import type { StepResult } from "../core/output/result.js";
import type { StepEvent } from "../event.js";
import type { EventQueue } from "../log/event-queue.js";
import type { UnreleasedResource } from "../unreleased.js";
import { PHASE, STEP } from "./channels.js";
import type { StepDiagnostic } from "./messages.js";

/** What the diagnostics need of a step's run. */
interface ObservedRun {
  readonly id: string;
  readonly attempt: number;
  readonly admitted: { readonly input: unknown };
  readonly events: EventQueue;
  readonly result: { readonly promise: Promise<StepResult> };
}

/** Runs a step, and publishes it and its phases if somebody listens. Never rejects. */
export async function traceStep<Run extends ObservedRun>(
  run: Run,
  runStep: (run: Run) => Promise<readonly UnreleasedResource[]>,
): Promise<readonly UnreleasedResource[]> {
  if (!STEP.hasSubscribers && !PHASE.hasSubscribers) return runStep(run);
  let unreleased: readonly UnreleasedResource[] = [];
  const message: StepDiagnostic = {
    id: run.id,
    attempt: run.attempt,
    ...nameAndImage(run.admitted.input),
    cause: undefined,
    exitCode: undefined,
    runMs: undefined,
    durationMs: undefined,
    errorKind: undefined,
  };
  await STEP.run(
    message,
    async () => {
      const phases = createPhases(run);
      unreleased = await runStep({ ...run, events: phases.events });
      phases.end();
      return await run.result.promise;
    },
    ({ cause, exitCode, durationMs }) => {
      message.cause = cause;
      message.exitCode = exitCode ?? undefined;
      message.runMs = durationMs;
    },
  ).catch(() => undefined);
  return unreleased;
}

/** A phase ends when the next one is announced. */
function createPhases({ id, events, result }: ObservedRun) {
  let current: Running | undefined;
  let failure: { readonly reason: unknown } | undefined;
  result.promise.catch((reason: unknown) => {
    failure = { reason };
  });

  function end(): void {
    current?.end(failure);
    current = undefined;
    failure = undefined;
  }

  function see(event: StepEvent): void {
    if (event.type !== "phase") return;
    end();
    current = PHASE.start({ id, phase: event.phase, durationMs: undefined, errorKind: undefined });
  }

  const watched: EventQueue = {
    ...events,
    get isReadable() {
      return events.isReadable;
    },
    push(event) {
      see(event);
      return events.push(event);
    },
  };
  return { events: watched, end };
}

/** A step that is refused may have anything there. */
function nameAndImage(input: unknown): Pick<StepDiagnostic, "name" | "image"> {
  const { name, image } = (input ?? {}) as { name?: unknown; image?: unknown };
  return {
    name: typeof name === "string" ? name.slice(0, 200) : undefined,
    image: typeof image === "string" ? fullName(image) : undefined,
  };
}

/** An invalid text may have a password in it, so it is not shown. */
function fullName(image: string): string | undefined {
  try {
    return formatReference(parseReference(image));
  } catch {
    return undefined;
  }
}
