// For users: a step in, a result out.

export type { Cause } from "./core/cause.js";
// For those who build on top: the parts of it, as pure functions and plain values.
export { parseDuration } from "./core/duration.js";
export { LABELS } from "./core/labels.js";
export type { BridgeOptions } from "./core/network/bridge.js";
export type { OutputIssue, OutputIssueReason } from "./core/output-issue.js";
export {
  createOutputParser,
  type OutputLimits,
  type OutputParser,
  type OutputParserOptions,
} from "./core/output-line.js";
export { DEFAULT_POLICY, type Policy, parsePolicy, UNRESTRICTED_POLICY } from "./core/policy.js";
export type { StepResult } from "./core/result.js";
export type { SecretValues } from "./core/secret.js";
export { parseSize } from "./core/size.js";
export type { StepInput } from "./core/step.js";
export { parseStep, type StepConfig, stepJsonSchema } from "./core/step.js";
export { toVariableName } from "./core/variable-name.js";
export type { VolumeKind } from "./core/volume.js";
export type { StepWarning } from "./core/warning.js";
export { toWorkflowData, type WorkflowData, type WorkflowDataOptions } from "./core/workflow-data.js";
export type { IdRange } from "./edge/find-user-namespace.js";
export type { ImagePullOptions } from "./edge/resolve-image.js";
export { ExecutorError, type ExecutorErrorKind, type Issue, isExecutorError } from "./error.js";
export type {
  GapEvent,
  OutputEvent,
  OutputIssueEvent,
  OutputValueEvent,
  Phase,
  PhaseEvent,
  ProgressEvent,
  StepEvent,
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
export { type ListedStep, listSteps, removeOrphans, removeStep } from "./steps.js";
export {
  type ListedVolume,
  listVolumes,
  type PruneVolumesOptions,
  pruneVolumes,
  removeVolume,
} from "./volumes.js";
