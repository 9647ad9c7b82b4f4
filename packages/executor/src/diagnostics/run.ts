import type { Running, Trace } from "@wfe-containerd/client/internal";
import type { StepResult } from "../core/output/result.js";
import type { StepEvent } from "../event.js";
import type { EventQueue } from "../log/event-queue.js";
import type { UnreleasedResource } from "../unreleased.js";
import { PHASE } from "./channels.js";
import type { EndDiagnostic } from "./messages.js";

/** What the diagnostics need of the run of a step, or of a further process. */
export interface ObservedRun {
  readonly id: string;
  readonly events: EventQueue;
  readonly result: { readonly promise: Promise<StepResult> };
}

/** What is known only at the end. */
export const NO_END: EndDiagnostic = {
  cause: undefined,
  exitCode: undefined,
  runMs: undefined,
  durationMs: undefined,
  errorKind: undefined,
};

/** Runs something, and publishes it and its phases. Never rejects. */
export async function traceRun<Run extends ObservedRun, Message extends EndDiagnostic>(
  trace: Trace<Message>,
  message: Message,
  run: Run,
  runToEnd: (run: Run) => Promise<readonly UnreleasedResource[]>,
): Promise<readonly UnreleasedResource[]> {
  let unreleased: readonly UnreleasedResource[] = [];
  await trace
    .run(
      message,
      async () => {
        const phases = createPhases(run);
        unreleased = await runToEnd({ ...run, events: phases.events });
        phases.end();
        return await run.result.promise;
      },
      ({ cause, exitCode, durationMs }) => {
        message.cause = cause;
        message.exitCode = exitCode ?? undefined;
        message.runMs = durationMs;
      },
    )
    .catch(() => undefined);
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

/** A run that is refused may have anything there. */
export function nameOf(input: unknown): string | undefined {
  const { name } = (input ?? {}) as { name?: unknown };
  return typeof name === "string" ? name.slice(0, 200) : undefined;
}
