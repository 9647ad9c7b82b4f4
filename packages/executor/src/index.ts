// For users: a step in, a result out.

export type { BridgeOptions } from "./core/network/bridge.js";
export type { StepEndCause } from "./core/output/cause.js";
export type { OutputIssue, OutputIssueReason } from "./core/output/output-issue.js";
export {
  createOutputParser,
  type OutputLimits,
  type OutputParser,
  type OutputParserOptions,
} from "./core/output/output-line.js";
export type { StepResult } from "./core/output/result.js";
export { toVariableName } from "./core/output/variable-name.js";
export type { StepWarning } from "./core/output/warning.js";
export { toWorkflowData, type WorkflowData, type WorkflowDataOptions } from "./core/output/workflow-data.js";
export { LABELS } from "./core/plan/labels.js";
export { DEFAULT_POLICY, type Policy, parsePolicy, UNRESTRICTED_POLICY } from "./core/policy/policy.js";
export type { SecretValues } from "./core/step/secret.js";
export type { StepInput } from "./core/step/step.js";
export { parseStep, type StepConfig, stepJsonSchema } from "./core/step/step.js";
export type { VolumeKind } from "./core/step/volume.js";
// For programs that build on this one: pure functions and plain values.
export { parseDuration } from "./core/units/duration.js";
export { parseSize } from "./core/units/size.js";
export { ExecutorError, type ExecutorErrorKind, isExecutorError, type StepIssue } from "./error.js";
export type {
  OutputEvent,
  OutputGap,
  OutputIssueEvent,
  OutputValueEvent,
  PhaseEvent,
  ProgressEvent,
  StepEvent,
  StepPhase,
  WarningEvent,
} from "./event.js";
export {
  type CloseOptions,
  createExecutor,
  type Executor,
  type ExecutorOptions,
  type RunOptions,
  type StartOptions,
} from "./executor.js";
export type { StepHandle } from "./handle.js";
export type { ImagePullOptions } from "./image/resolve-image.js";
export type { IdRange } from "./machine/id-range.js";
export { type ListedStep, listSteps, removeOrphans, removeStep } from "./record/steps.js";
export { type ListedVolume, listVolumes } from "./volumes/list-volumes.js";
export { type PruneVolumesOptions, pruneVolumes, removeVolume } from "./volumes/remove-volumes.js";
