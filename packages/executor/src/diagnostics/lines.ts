import { describeOutcome, formatDuration, joinParts } from "@wfe-containerd/client/internal";
import type { PhaseDiagnostic, ReapDiagnostic, ReleaseDiagnostic, StepDiagnostic } from "./messages.js";

// One line for each message. At the start of an operation it has no duration yet.

export function describeStep(message: StepDiagnostic): string {
  const { id, attempt, name, image, cause, exitCode, runMs } = message;
  return joinParts(
    `step ${id}${name === undefined ? "" : ` ${JSON.stringify(name)}`}`,
    attempt > 1 && `attempt ${attempt}`,
    image !== undefined && `image ${image}`,
    cause !== undefined && `cause ${cause}`,
    exitCode !== undefined && `exit code ${exitCode}`,
    runMs !== undefined && `ran ${formatDuration(runMs)}`,
    describeOutcome(message),
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
