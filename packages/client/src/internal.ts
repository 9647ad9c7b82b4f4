// Only for the other packages of this project. It may change with any minor version.

export { callService } from "./call.js";
export { createDeferred, type Deferred } from "./concurrency/deferred.js";
export { drained } from "./concurrency/drained.js";
export { createKeyedMutex } from "./concurrency/keyed-mutex.js";
export {
  createSemaphore,
  forEachConcurrently,
  type Semaphore,
  type SlotRequest,
} from "./concurrency/semaphore.js";
export { DEBUG_LOGGER, debugTopics, printDebugLines } from "./diagnostics/debug-output.js";
export { describeOutcome, describeRetry, formatDuration, joinParts } from "./diagnostics/lines.js";
export { findLoggerProblem } from "./diagnostics/log.js";
export { CLIENT_OBSERVER } from "./diagnostics/observe.js";
export { traceRetry } from "./diagnostics/retry.js";
export { findObserverProblems, subscribeTo } from "./diagnostics/subscribe.js";
export { createTrace, type Running, type Trace } from "./diagnostics/trace.js";
export { checkLabels } from "./identifier.js";
export { ignoreNotFound } from "./ignore-not-found.js";
export { currentOwner, isOwnerGone, OWNER_LABEL } from "./lease/process-owner.js";
export { parseImageConfig } from "./oci/manifest.js";
export { findUnknownOptions, type OptionNames } from "./options.js";
export { credentialsOf } from "./registry/credential.js";
export { REGISTRY_OPTIONS } from "./registry/repository.js";
export { isSignal } from "./signal.js";
