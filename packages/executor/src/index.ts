// Running steps: a step in, a result out.

export type { StepAttempt } from "./core/output/attempt.js";
export type { StepEndCause } from "./core/output/cause.js";
export type { OutputIssue, OutputIssueReason } from "./core/output/output-issue.js";
export type { StepResult } from "./core/output/result.js";
export type { LogGap, LogGapReason, LogStream, StepLog } from "./core/output/step-log.js";
export type { StepUsage } from "./core/output/usage.js";
export type { StepWarning } from "./core/output/warning.js";
export type { LeftStep } from "./core/plan/labels.js";
export type { RuntimeOptions } from "./core/plan/runtime.js";
export type { TerminalSize } from "./core/spec/terminal.js";
export type { ExecFields } from "./core/step/exec.js";
export { createExecutor } from "./create-executor.js";
export type { DetachedExecInput } from "./detach-exec.js";
export type { ExecInput, ProcessOptions } from "./exec-input.js";
export type { Executor } from "./executor.js";
export type {
  AttachOptions,
  CloseOptions,
  DetachOptions,
  ExecutorOptions,
  RecoverOptions,
  RunOptions,
  StartOptions,
} from "./executor-options.js";
export type { StepHandle } from "./handle.js";
export type { StdinSource } from "./io/stdin-source.js";
export type { RunResult } from "./run-to-end.js";
export type {
  ConnectOptions,
  ListedSession,
  OpenOptions,
  Session,
  SessionCloseOptions,
  SessionDeadlines,
  SessionEnd,
  SessionEndReason,
  SessionFiles,
  SessionInput,
  SessionStep,
  SessionStepOptions,
  SnapshotOptions,
  SnapshotSessionInput,
} from "./session.js";
export type { ReadFileOptions, WriteFilesOptions } from "./session-files.js";
export type { SessionSnapshot } from "./snapshots/session-snapshot.js";
export type { ReleaseReport, UnreleasedResource } from "./unreleased.js";

// What a step reports while it runs.

export type {
  DaemonAwayEvent,
  DaemonBackEvent,
  OutputEvent,
  OutputGap,
  OutputIssueEvent,
  OutputValueEvent,
  PhaseEvent,
  ProgressEvent,
  QueuedEvent,
  ReleaseFailedEvent,
  RetryEvent,
  StepEvent,
  StepPhase,
  WarningEvent,
} from "./event.js";

// What executors of this process do, for logs and diagnostics.

export { logTo } from "./diagnostics/log.js";
export type {
  EndDiagnostic,
  ExecDiagnostic,
  PhaseDiagnostic,
  ReapDiagnostic,
  ReleaseDiagnostic,
  StepDiagnostic,
} from "./diagnostics/messages.js";
export { type Observer, observe } from "./diagnostics/observe.js";

// Why a step could not be run.

export { ExecutorError, type ExecutorErrorOptions, isExecutorError, type StepIssue } from "./error.js";
export type { ExecutorErrorKind } from "./error-kind.js";

// What the operator sets: the policy, the bridge, the ids of user namespaces, how images are pulled.

export type { BridgeOptions } from "./core/network/bridge.js";
export {
  DEFAULT_POLICY,
  type Policy,
  type PolicyOptions,
  parsePolicy,
  UNRESTRICTED_POLICY,
} from "./core/policy/policy.js";
export type { ImagePullOptions } from "./image/resolve-image.js";
export type {
  LogChunk,
  LogEntry,
  LogHole,
  LogLine,
  LogLinesOptions,
  LogOffsets,
  LogReader,
  LogReadOptions,
} from "./log/log-entry.js";
export type { LogLimitPolicy } from "./log/log-limit.js";
export type { IdRange } from "./machine/id-range.js";

// A step's fields, as they are written and as they are checked.

export { checkStep } from "./check-step.js";
export type { StepField, StepFieldFlag } from "./core/step/declaration.js";
export { SESSION_STEP_FIELDS, secretTargetIssues } from "./core/step/exec.js";
export { stepJsonSchema } from "./core/step/json-schema.js";
export { parseStep } from "./core/step/parse-step.js";
export { STEP_FIELDS } from "./core/step/schema.js";
export type { SecretValues } from "./core/step/secret.js";
export { SESSION_FIELDS } from "./core/step/session-fields.js";
export type { StepConfig } from "./core/step/step.js";
export { stepFileJsonSchema } from "./core/step/step-file-schema.js";
export type { StepInput } from "./core/step/step-input.js";
export { parseDuration } from "./core/units/duration.js";
export { parseSize } from "./core/units/size.js";

// The parts of a checked step.

export type { StepDevice } from "./core/spec/devices.js";
export type { BlockIoLimits, ResourceLimits } from "./core/spec/resources.js";
export type { Ulimit } from "./core/spec/rlimits.js";
export type { SeccompCondition, SeccompProfile, SeccompRule } from "./core/spec/seccomp.js";
export type { SeccompArgument, ThrottleDevice } from "./core/spec/spec.js";
export type { RetryCause, RetryPolicy } from "./core/step/retry.js";
export type {
  Cache as CacheVolume,
  HostVolume,
  NamedVolume,
  SecretRequest,
  Tmpfs as TmpfsMount,
} from "./core/step/step.js";

// From one step to the next.

export { toVariableName } from "./core/output/variable-name.js";
export type { WorkflowData } from "./core/output/workflow-data.js";
export { toWorkflowData, type WorkflowDataOptions } from "./workflow-data.js";

// What steps leave on a daemon: containers of dead executors, volumes and caches.

export type { VolumeKind } from "./core/step/volume.js";
export type { Leftover, ReapReport } from "./record/leftover.js";
export { type OrphanReport, removeOrphans } from "./record/orphans.js";
export { type ReapDaemonOptions, type ReapOptions, reap } from "./record/reap.js";
export { listRecoverable } from "./record/recover.js";
export { type ListedStep, listSteps, removeStep } from "./record/steps.js";
export { type ListedVolume, listVolumes } from "./volumes/list-volumes.js";
export { type PruneVolumesOptions, pruneVolumes, removeVolume } from "./volumes/remove-volumes.js";
export { openWorkspace, type Workspace, type WorkspaceOptions } from "./volumes/workspace.js";
