import { describeOutcome, formatDuration, joinParts } from "@wfe-containerd/client/internal";
import type {
  EndDiagnostic,
  ExecDiagnostic,
  PhaseDiagnostic,
  ReapDiagnostic,
  ReleaseDiagnostic,
  StepDiagnostic,
} from "./messages.js";

// One line for each message. At the start of an operation it has no duration yet.

export function describeStep(message: StepDiagnostic): string {
  const { attempt, image } = message;
  return joinParts(
    subjectOf(message),
    attempt > 1 && `attempt ${attempt}`,
    image !== undefined && `image ${image}`,
    describeEnd(message),
    describeOutcome(message),
  );
}

export function describeExec(message: ExecDiagnostic): string {
  const { stepId } = message;
  return joinParts(
    subjectOf(message),
    stepId !== undefined && `in step ${stepId}`,
    describeEnd(message),
    describeOutcome(message),
  );
}

/** Lines of further processes belong to the topic `step`, which is their first word. */
function subjectOf({ id, name }: StepDiagnostic | ExecDiagnostic): string {
  return `step ${id}${name === undefined ? "" : ` ${JSON.stringify(name)}`}`;
}

function describeEnd({ cause, exitCode, runMs }: EndDiagnostic): string | false {
  return (
    cause !== undefined &&
    joinParts(
      `cause ${cause}`,
      exitCode !== undefined && `exit code ${exitCode}`,
      runMs !== undefined && `ran ${formatDuration(runMs)}`,
    )
  );
}

export function describePhase(message: PhaseDiagnostic): string {
  return joinParts(`step ${message.id} ${message.phase}`, describeOutcome(message));
}

export function describeRelease({ id, attempt, unreleased }: ReleaseDiagnostic): string {
  const [first, ...others] = unreleased;
  return joinParts(
    `step ${id} release`,
    attempt > 1 && `attempt ${attempt}`,
    first === undefined
      ? "everything is removed"
      : `${first.kind} ${first.id} could not be removed: ${first.reason}`,
    others.length > 0 && `kept with it: ${others.map(({ kind }) => kind).join(", ")}`,
  );
}

export function describeReap(message: ReapDiagnostic): string {
  const { namespace, dryRun, removed, failed } = message;
  const [first] = failed;
  return joinParts(
    `step reap, namespace ${namespace}`,
    dryRun ? `${removed.length} left` : `${removed.length} removed`,
    first !== undefined && `${failed.length} not, ${first.kind} ${first.id}: ${first.failure}`,
    describeOutcome(message),
  );
}
