import type { StepPlan } from "../plan/plan.js";
import type { StepEndCause } from "./cause.js";
import type { StepWarning } from "./warning.js";

/** A volume that the step's user may not write to, judged by the owner and mode of its source. */
export interface UnwritableVolume {
  readonly field: string;
  readonly source: string;
  readonly target: string;
  readonly owner: string;
  /** Permission bits, in octal. */
  readonly mode: string;
}

/** The parts of a step's plan that its warnings depend on. */
export interface WarnedPlan extends Pick<StepPlan, "args" | "programField"> {
  readonly container: {
    readonly spec: { readonly process: { readonly user: { readonly uid: number; readonly gid: number } } };
  };
}

/** The parts of a step's end that its warnings depend on. */
export interface FailedStep {
  readonly exitCode: number | null;
  readonly cause: StepEndCause;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Returns warnings for a step that failed by itself, else an empty list. So a step that only reads a volume
 * and succeeds is not warned.
 */
export function findWarnings(
  plan: WarnedPlan,
  step: FailedStep,
  unwritable: readonly UnwritableVolume[],
): StepWarning[] {
  if (step.cause !== "exit" || step.exitCode === 0) return [];
  return [...programWarnings(plan, step), ...volumeWarnings(plan, step, unwritable)];
}

function volumeWarnings(
  { container: { spec } }: WarnedPlan,
  { stdout, stderr }: FailedStep,
  unwritable: readonly UnwritableVolume[],
): StepWarning[] {
  if (![stdout, stderr].some((output) => /permission denied|EACCES/i.test(output))) return [];
  const { uid, gid } = spec.process.user;
  return unwritable.map(({ field, source, target, owner, mode }) => ({
    field,
    message: `${field}: the step runs as user ${uid}:${gid}, which may not write to ${target}: ${source} has owner ${owner} and mode ${mode}; run the step as the owner (user: "${owner}", or --user ${owner}), or change the owner or mode of ${source}`,
  }));
}

/** Why the kernel did not run a program that exists, by its error message. */
const EXEC_PROBLEMS: Readonly<Record<string, string>> = {
  "no such file or directory":
    "the image does not have the interpreter of the program's #! line, or the loader that the program needs",
  "exec format error": "the file is not a program for this architecture, and not a script with a #! line",
  "permission denied":
    "the interpreter of the program's #! line is not a program, or the file system is mounted noexec",
  "operation not permitted":
    "the seccomp profile does not allow execve, or the file system is mounted noexec",
};

/**
 * runc's first process becomes the step's program at the very end. If that fails, runc's message is the
 * step's only output, and runc's exit code is the step's.
 */
function programWarnings(
  { args, programField: field }: WarnedPlan,
  { stdout, stderr }: FailedStep,
): StepWarning[] {
  const [, program, reason = ""] = /^exec (\S+): ([a-z ]+)\n?$/.exec(stderr) ?? [];
  const problem = Object.hasOwn(EXEC_PROBLEMS, reason) ? EXEC_PROBLEMS[reason] : undefined;
  if (stdout !== "" || problem === undefined || !args.some((argument) => argument === program)) return [];
  return [{ field, message: `${field}: ${program} could not be started: ${problem}` }];
}
