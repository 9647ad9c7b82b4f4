import type { StepPlan } from "../core/plan/plan.js";
import { isWithin } from "../core/units/path.js";
import type { StepIssue } from "../error.js";

/** The message of runc 1.0 to 1.3 about a mount that failed. Go quotes both paths. */
const MOUNT = /error mounting "((?:[^"\\]|\\.)*)" to rootfs at "((?:[^"\\]|\\.)*)": (.*)/s;
/**
 * The message of runc 1.0 to 1.3 about a working directory that it could not make or enter. For a process
 * that is added to a container, it makes none.
 */
const WORKING_DIR =
  /(?:container init|start container process): (?:mkdir |chdir to cwd \(")(.*?)(?:: |"\) set in config\.json failed: )([a-z -]+)(?::|$)/s;
/**
 * The kernel's reason is last, after paths that may contain any words. After it comes only text that the
 * daemon adds.
 */
const REASON =
  /: (not a directory|is a directory|file exists|no such file or directory|read-only file system|too many levels of symbolic links|file name too long|permission denied)(?=: Are you trying|: unknown|$)/;

/** What is the machine's fault, whatever path of the step it met. */
const MACHINE_FAULT =
  /: (?:no space left on device|disk quota exceeded|input\/output error|too many open files(?: in system)?|cannot allocate memory)(?=: unknown|$)/;

/** The field of the step whose path the runtime could not use. Undefined if it failed for another reason. */
export function findPathRefusal(text: string, plan: StepPlan): StepIssue | undefined {
  if (MACHINE_FAULT.test(text)) return undefined;
  return mountRefusal(text, plan) ?? workingDirRefusal(text, plan);
}

/**
 * Whether the step has made the place of this path read-only. If not, the machine has: overlayfs mounts
 * read-only when its disk is full (kernel, fs/overlayfs/super.c, ovl_make_workdir).
 */
function isReadOnlyByStep({ container: { spec } }: StepPlan, path: string): boolean {
  const above = spec.mounts.filter(({ destination }) => isWithin(path, destination));
  return spec.root.readonly === true || above.some(({ options = [] }) => options.includes("ro"));
}

function mountRefusal(text: string, plan: StepPlan): StepIssue | undefined {
  const { mountFields } = plan;
  const [, source = "", target = "", rest = ""] = MOUNT.exec(text) ?? [];
  const field = Object.hasOwn(mountFields, target) ? mountFields[target] : undefined;
  if (field === undefined) return undefined;
  const reason = REASON.exec(`: ${rest}`)?.[1];
  const isInMemory = field === "tmpfs";
  switch (reason) {
    case "not a directory":
    case "is a directory":
      return isInMemory || /procfd|mkdir|mountpoint/.test(rest)
        ? {
            field,
            message: `${target} is a file in the container, or lies below a file`,
            allowed: "a directory, or a path that does not exist",
          }
        : {
            field,
            message: `a directory cannot be mounted on a file, nor a file on a directory: ${source} on ${target}`,
            allowed: "a source and a target of the same kind, or a target that does not exist",
          };
    case "read-only file system":
      if (!isReadOnlyByStep(plan, target)) return undefined;
      return {
        field,
        message: `${target} does not exist, and what is mounted above it is read-only`,
        allowed: "a target that exists there, or one outside of what is read-only",
      };
    case "too many levels of symbolic links":
      return {
        field,
        message: `${target} leads through symbolic links in a circle`,
        allowed: "a target without such links",
      };
    case "no such file or directory":
      return {
        field,
        message: `the daemon's machine has no ${source}`,
        allowed: "a path that exists there",
      };
    default:
      return {
        field,
        message: `nothing can be mounted on ${target} (${reason ?? rest.slice(0, 200)})`,
        allowed: "another target",
      };
  }
}

function workingDirRefusal(text: string, plan: StepPlan): StepIssue | undefined {
  const { container, workingDirField } = plan;
  const { cwd } = container.spec.process;
  const [, path = "", reason = ""] = WORKING_DIR.exec(text) ?? [];
  if (path === "" || !isWithin(cwd, path)) return undefined;
  if (reason === "read-only file system" && !isReadOnlyByStep(plan, path)) return undefined;
  const problem =
    reason === "not a directory"
      ? "it is a file, or lies below a file"
      : reason === "file exists"
        ? "it is a symbolic link that leads nowhere, or in a circle"
        : reason === "read-only file system"
          ? "it does not exist, and cannot be made on a read-only file system"
          : reason === "permission denied"
            ? "the step's user may not enter it"
            : reason;
  if (reason === "no such file or directory")
    return {
      field: workingDirField,
      message: `${cwd} does not exist in the container`,
      allowed: "a directory that the container has",
    };
  return {
    field: workingDirField,
    message: `${cwd} cannot be the working directory: ${problem}`,
    allowed: "a directory, or a path at which one can be made; example: working_dir: /work",
  };
}
