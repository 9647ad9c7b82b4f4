import {
  type ClientObserver,
  type OperationObserver,
  observe as observeClients,
} from "@wfe-containerd/client";
import {
  CLIENT_OBSERVER,
  findObserverProblems,
  type OptionNames,
  subscribeTo,
} from "@wfe-containerd/client/internal";
import { ExecutorError } from "../error.js";
import { checkOptions } from "../options.js";
import { EXEC, PHASE, REAP, RELEASE, STEP } from "./channels.js";
import type {
  ExecDiagnostic,
  PhaseDiagnostic,
  ReapDiagnostic,
  ReleaseDiagnostic,
  StepDiagnostic,
} from "./messages.js";

/** What to observe of the executors and clients of this process. */
export interface Observer extends ClientObserver {
  readonly step?: OperationObserver<StepDiagnostic> | undefined;
  readonly exec?: OperationObserver<ExecDiagnostic> | undefined;
  readonly phase?: OperationObserver<PhaseDiagnostic> | undefined;
  readonly release?: OperationObserver<ReleaseDiagnostic> | undefined;
  readonly reap?: OperationObserver<ReapDiagnostic> | undefined;
}

const BOTH = { start: true, end: true } as const;
const OBSERVER: OptionNames<Observer> = {
  ...CLIENT_OBSERVER,
  step: BOTH,
  exec: BOTH,
  phase: BOTH,
  release: BOTH,
  reap: BOTH,
};

/**
 * Observes all executors and clients of this process, from now on. Of a step that has already begun, its
 * phases and its end are not told. Messages never have output of a step, its command, secrets or credentials.
 * The functions are called in the middle of the work, so they must be quick; if one throws, Node ends the
 * process.
 *
 * @returns ends the observation.
 * @example
 * ```ts
 * const stop = observe({
 *   phase: { end: ({ id, phase, durationMs }) => console.error(id, phase, durationMs) },
 * });
 * ```
 */
export function observe(observer: Observer): () => void {
  checkOptions("observe", observer, OBSERVER);
  const [problem] = findObserverProblems(observer);
  if (problem !== undefined) throw new ExecutorError(problem, { kind: "invalid-argument" });
  const { step, exec, phase, release, reap, ...client } = observer;
  const stops = [
    observeClients(client),
    subscribeTo(STEP, step),
    subscribeTo(EXEC, exec),
    subscribeTo(PHASE, phase),
    subscribeTo(RELEASE, release),
    subscribeTo(REAP, reap),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
