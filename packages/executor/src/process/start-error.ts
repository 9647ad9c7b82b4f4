import type { StepPlan } from "../core/plan/plan.js";
import { DEFAULT_RUNTIME } from "../core/plan/runtime.js";
import { INIT_TARGET } from "../core/spec/create-spec.js";
import { ExecutorError, type StepIssue } from "../error.js";
import { isUnavailable } from "../machine/unavailable.js";
import { findHostRefusal } from "./host-refusal.js";
import { findPathRefusal } from "./path-refusal.js";

/**
 * The messages of runc 1.0 to 1.3, and of Go's exec package, if the first process cannot be started. There is
 * no status code for these cases: the daemon passes on runc's text.
 */
const NOT_FOUND =
  /exec: ".*(?:executable file not found in \$PATH|no such file or directory|not a directory|file name too long)/;
const NOT_EXECUTABLE =
  /exec: ".*(?:permission denied|is a directory|exec format error|too many levels of symbolic links)|exec format error/;
const USER_FILE_DIRECTORY = /unable to setup user: .*read (\/etc\/(?:passwd|group)): is a directory/;
/** The message of go-runc, if the shim cannot start the runtime. */
const NO_RUNTIME = /unable to retrieve OCI runtime error.*: (?:fork\/)?exec:? "?([^\s":]+)"?: /;
const NO_SHIM = /failed to (?:resolve runtime path|start shim): .*/;
/** What the step has made read-only itself, was looked for before. */
const MACHINE_READ_ONLY = /: read-only file system(?=: unknown|$)/;
const NO_STDIO = /(?:stdout|stderr).*no such file or directory/;

/** Whether the runtime was not allowed to set the resource limits of the process. */
export function isLimitRefusal(reason: unknown): boolean {
  return reason instanceof Error && /error setting rlimit/.test(reason.message);
}

/** Turns a failure to create or start a task into an error that tells the step's author what to fix. */
export function startError(reason: unknown, plan: StepPlan): ExecutorError {
  const text = reason instanceof Error ? reason.message : String(reason);
  // The runtime has not answered, so its messages are not looked for.
  if (isUnavailable(reason)) return new ExecutorError(text, { kind: "daemon-unavailable", cause: reason });
  const withoutRuntime = runtimeIssue(text, plan);
  if (withoutRuntime !== undefined) return refusedError(withoutRuntime, text, reason);
  // Messages about paths are checked first: a path of the step may contain any of the words that the other
  // checks look for.
  const refused = findPathRefusal(text, plan);
  if (refused !== undefined) return refusedError(refused, text, reason);
  const userFile = USER_FILE_DIRECTORY.exec(text)?.[1];
  if (userFile !== undefined) {
    const issue = {
      field: "image",
      message: `${userFile} is a directory`,
      allowed: "a regular file; the runtime reads it",
    };
    return refusedError(issue, text, reason);
  }
  if (NOT_FOUND.test(text)) return programError("command-not-found", plan, reason);
  if (NOT_EXECUTABLE.test(text)) return programError("command-not-executable", plan, reason);
  const byHost = findHostRefusal(text, plan);
  if (byHost !== undefined) return refusedError(byHost, text, reason);
  if (NO_STDIO.test(text)) {
    return new ExecutorError(
      "the daemon cannot see the directory for the step's output: ioDir (WFE_IO_DIR) must be a directory that the daemon's machine sees at the same path",
      { kind: "io", cause: reason },
    );
  }
  const problem = MACHINE_READ_ONLY.test(text)
    ? "the container could not be started: its file system is read-only, perhaps because the daemon's disk was full"
    : "the container could not be started";
  return new ExecutorError(`${problem}: ${text}`, { kind: "runtime", cause: reason });
}

/** Tells that the operator's runtime is not on the daemon's machine. */
function runtimeIssue(text: string, { container: { runtime } }: StepPlan): StepIssue | undefined {
  const { type, binary } = runtime;
  if (binary !== undefined && NO_RUNTIME.exec(text)?.[1] === binary)
    return {
      field: "runtime",
      message: `the program ${binary} cannot be started on the daemon's machine`,
      allowed: "a runtime that is installed there, on the PATH of the daemon or with its whole path",
    };
  if (type === DEFAULT_RUNTIME.type || !NO_SHIM.test(text)) return undefined;
  return {
    field: "runtime",
    message: `the shim ${type} is not on the daemon's machine`,
    allowed: "a runtime whose shim is installed there, on the PATH of the daemon",
  };
}

function refusedError(issue: StepIssue, text: string, cause: unknown): ExecutorError {
  const { field, message, allowed } = issue;
  return new ExecutorError(`${field}: ${message}; allowed: ${allowed} (the runtime says: ${text})`, {
    kind: "refused",
    issues: [issue],
    cause,
  });
}

const PROGRAM_ALLOWED: Readonly<Record<string, string>> = {
  run: "an image with that shell; or shell with a program that the image has; or command",
  shell: "a program that the image has, by its path or by a name in PATH",
  command: "a program that the image has, by its path or by a name in PATH",
  args: "a program that the image has, by its path or by a name in PATH",
  image: "command with a program that the image has",
};

function programError(
  kind: "command-not-found" | "command-not-executable",
  { args, programField: field, container: { image } }: StepPlan,
  cause: unknown,
): ExecutorError {
  const program = args[0] === INIT_TARGET ? args[2] : args[0];
  const message =
    kind === "command-not-found"
      ? `the image ${image} has no program ${program}`
      : `${program} in the image ${image} cannot be executed: it is not a program, or the step's user may not run it`;
  const allowed = PROGRAM_ALLOWED[field] ?? PROGRAM_ALLOWED["command"];
  return new ExecutorError(`${field}: ${message}; allowed: ${allowed}`, {
    kind,
    issues: [{ field, message, allowed }],
    cause,
  });
}
