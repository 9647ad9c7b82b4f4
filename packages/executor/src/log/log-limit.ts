import { refuse } from "../core/refuse.js";
import type { StepConfig } from "../core/step/step.js";
import { ExecutorError } from "../error.js";

/** What happens when a step prints more than its limit. */
export type LogLimitPolicy = "fail" | "truncate" | "drop-oldest";

/** How much of a step's output is kept. */
export interface LogLimit {
  /** Of both streams together, after masking. */
  readonly maxBytes: number;
  readonly policy: LogLimitPolicy;
}

/** Large enough for every log that people read. */
const DEFAULT_BYTES = 2 * 1024 ** 3;
const POLICIES: readonly LogLimitPolicy[] = ["fail", "truncate", "drop-oldest"];

/**
 * Checks the options of an executor.
 *
 * @throws ExecutorError `invalid-argument`.
 */
export function parseLogLimit(options: {
  readonly maxLogBytes?: number | undefined;
  readonly onLogLimit?: LogLimitPolicy | undefined;
}): LogLimit {
  const { maxLogBytes: maxBytes = DEFAULT_BYTES, onLogLimit: policy = "drop-oldest" } = options;
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 1) {
    throw new ExecutorError(
      `maxLogBytes: ${maxBytes} is not a number of bytes; allowed: a whole number, 1 or more; example: 67108864`,
      { kind: "invalid-argument" },
    );
  }
  if (!POLICIES.includes(policy)) {
    throw new ExecutorError(`onLogLimit: ${policy} is not allowed; allowed: ${POLICIES.join(", ")}`, {
      kind: "invalid-argument",
    });
  }
  return { maxBytes, policy };
}

/**
 * The limit of a step: its own, up to that of the executor.
 *
 * @throws ExecutorError `refused` if the step asks for more.
 */
export function logLimitOf(step: StepConfig, executor: LogLimit): LogLimit {
  const { maxLogBytes = executor.maxBytes, onLogLimit: policy = executor.policy } = step;
  if (maxLogBytes > executor.maxBytes) {
    refuse(
      "max_log_bytes",
      `${maxLogBytes} is more than the executor keeps of a step's output`,
      `up to ${executor.maxBytes}; the operator sets maxLogBytes of the executor`,
    );
  }
  return { maxBytes: maxLogBytes, policy };
}
