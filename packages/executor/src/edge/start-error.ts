import type { StepPlan } from "../core/plan.js";
import { ExecutorError } from "../error.js";
import { isDaemonAway } from "./daemon-away.js";
import { findHostRefusal } from "./host-refusal.js";

/**
 * What runc says when the first process cannot be started, in the words of runc 1.0 to 1.3 and Go's exec package. There is no
 * code for it on the wire: the daemon hands runc's text through.
 */
const NOT_FOUND = /exec: ".*(?:executable file not found in \$PATH|no such file or directory)/;
const NOT_EXECUTABLE = /exec: ".*(?:permission denied|is a directory|exec format error)|exec format error/;
const NO_STDIO = /(?:stdout|stderr).*no such file or directory/;

/** Whether the runtime may not give the process its resource limits. */
export function isLimitRefusal(reason: unknown): boolean {
  return reason instanceof Error && /error setting rlimit/.test(reason.message);
}

/** Turns the daemon's refusal to create or start a task into the error that tells the step's author what to mend. */
export function startError(reason: unknown, plan: StepPlan): ExecutorError {
  const text = reason instanceof Error ? reason.message : String(reason);
  // No answer of the runtime's, so there is nothing in it to interpret.
  if (isDaemonAway(reason)) return new ExecutorError(text, { kind: "daemon-unavailable", cause: reason });
  const [program] = plan.args;
  if (NOT_FOUND.test(text)) {
    return new ExecutorError(`the image ${plan.container.image} has no program ${program}`, {
      kind: "command-not-found",
      cause: reason,
    });
  }
  if (NOT_EXECUTABLE.test(text)) {
    return new ExecutorError(`${program} in the image ${plan.container.image} cannot be executed`, {
      kind: "command-not-executable",
      cause: reason,
    });
  }
  const refused = findHostRefusal(text, plan.container.spec);
  if (refused !== undefined) {
    const { field, message, allowed } = refused;
    return new ExecutorError(`${field}: ${message}; allowed: ${allowed} (the runtime says: ${text})`, {
      kind: "refused",
      issues: [refused],
      cause: reason,
    });
  }
  if (NO_STDIO.test(text)) {
    return new ExecutorError(
      "the daemon cannot see the directory for the step's output: ioDir (WFE_IO_DIR) must be a directory that the daemon's machine sees at the same path",
      { kind: "io", cause: reason },
    );
  }
  return new ExecutorError(`the container could not be started: ${text}`, { kind: "runtime", cause: reason });
}
