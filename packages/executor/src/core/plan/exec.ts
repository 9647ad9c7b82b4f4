import { toVariables, type WorkflowData } from "../output/workflow-data.js";
import { SCRIPT_DIRECTORY } from "../policy/reserved-paths.js";
import { createTerminal } from "../spec/create-spec.js";
import { checkExecSize } from "../spec/exec-size.js";
import { composeArgs, composeCwd, composeEnvironment } from "../spec/process.js";
import type { LinuxCapabilities, Process, Spec, User } from "../spec/spec.js";
import type { TerminalSize } from "../spec/terminal.js";
import { SECRETS_VARIABLE } from "../step/secret.js";
import type { StepConfig } from "../step/step.js";
import type { ArchiveEntry } from "./archive.js";
import type { StepPlan } from "./plan.js";
import { SCRIPT_PATH, scriptEntries } from "./script.js";

/** Everything that a further process in a container depends on. */
export interface ExecPlanInput {
  readonly execId: string;
  /** What the file of its script is called, if that has to be a file: no other process has the same. */
  readonly slot: string;
  /** The plan of the step that made the container. */
  readonly container: StepPlan;
  /** What the container was really made of. */
  readonly spec: Spec;
  /** The process, with the fields of a step. */
  readonly step: StepConfig;
  readonly user: User;
  readonly data: WorkflowData;
  readonly terminal: TerminalSize | undefined;
  /** The directory in the container that has its secrets; undefined: it has none of its own. */
  readonly secretsDirectory: string | undefined;
  /** The ids that root of the container has on the daemon's machine. */
  readonly root: { readonly uid: number; readonly gid: number };
}

/** Everything that a further process asks of containerd. It is the process of the plan's spec. */
export interface ExecPlan extends StepPlan {
  readonly execId: string;
  /** Its script, if that has to be a file. */
  readonly script: readonly ArchiveEntry[];
}

const DEFAULT_STOP_GRACE_MS = 10_000;

/**
 * Returns what is needed to run a further process in a container. It is confined as the container's first
 * process is: seccomp and AppArmor profiles, limits, no-new-privileges. Its variables are those of the first
 * process, and its own.
 */
export function planExec(input: ExecPlanInput): ExecPlan {
  const { execId, slot, container, spec, step, user, data, terminal, root, secretsDirectory } = input;
  const first = spec.process;
  const scriptPath = `${SCRIPT_DIRECTORY}/exec-${slot}`;
  const command =
    step.script === undefined
      ? step.command
      : step.command?.map((argument) => argument.replaceAll(SCRIPT_PATH, scriptPath));
  const args = composeArgs({ entrypoint: command, args: step.args });
  const env = composeEnvironment({
    image: { Env: first.env },
    data: toVariables(data),
    step: { ...(secretsDirectory !== undefined && { [SECRETS_VARIABLE]: secretsDirectory }), ...step.env },
    terminal: terminal !== undefined,
  });
  checkExecSize(args, env);
  const { terminal: _, consoleSize: __, ...confined } = first;
  const process: Process = {
    ...confined,
    ...createTerminal(terminal),
    user,
    args,
    env,
    cwd: composeCwd(step.workingDir ?? first.cwd),
    ...(first.capabilities && { capabilities: limitCapabilities(first.capabilities, user.uid) }),
  };
  return {
    ...container,
    execId,
    name: step.name,
    args,
    programField: step.programField,
    workingDirField: "working_dir",
    timeoutMs: step.timeoutMs,
    stopSignal: step.stopSignal ?? "SIGTERM",
    stopGraceMs: step.stopGraceMs ?? DEFAULT_STOP_GRACE_MS,
    script: scriptEntries(step.script, root, scriptPath),
    container: { ...container.container, spec: { ...spec, process } },
  };
}

/**
 * Returns the capabilities of a further process: never more than those of the container. Root has what root
 * can have there. Another user has what the step added for its own user, and else none, as in docker.
 */
export function limitCapabilities({ bounding, ambient }: LinuxCapabilities, uid: number): LinuxCapabilities {
  const held = uid === 0 ? bounding : ambient;
  const inherited = uid === 0 ? [] : ambient;
  return { bounding, permitted: held, effective: held, inheritable: inherited, ambient: inherited };
}
