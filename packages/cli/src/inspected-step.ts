import type { Container, TaskStatus } from "@wfe-containerd/client";

/** The parts of an OCI runtime spec that are shown under docker's names. */
interface SpecParts {
  readonly hostname?: string;
  readonly process?: {
    readonly args?: readonly string[];
    readonly env?: readonly string[];
    readonly cwd?: string;
    readonly terminal?: boolean;
    readonly user?: { readonly uid?: number; readonly gid?: number };
  };
}

/** The label with the step's name. */
const STEP_LABEL = "wfe-containerd/step";

/**
 * What `inspect` prints of a container: its record and its task, and with `name`, `state` and `config` what
 * users of docker look for, in docker's shape: `{{.State.Pid}}`, `{{.Config.Env}}`.
 */
export function inspectedStep(container: Container, task: TaskStatus | undefined): object {
  const { id, image, labels, createdAt } = container;
  const { hostname = "", process: { args = [], env = [], cwd = "", terminal = false, user = {} } = {} } =
    (container.spec ?? {}) as SpecParts;
  const status = task?.status ?? "none";
  const hasEnded = task?.status === "stopped";
  const [path = "", ...others] = args;
  return {
    ...container,
    name: labels[STEP_LABEL] ?? id,
    created: createdAt,
    path,
    args: others,
    state: {
      status,
      running: status === "running" || status === "paused",
      paused: status === "paused",
      pid: task?.pid ?? 0,
      exitCode: hasEnded ? task.exitCode : 0,
      finishedAt: hasEnded ? task.exitedAt : null,
    },
    config: {
      image,
      hostname,
      user: `${user.uid ?? 0}:${user.gid ?? 0}`,
      env,
      cmd: args,
      workingDir: cwd,
      tty: terminal,
      labels,
    },
    task: task ?? null,
  };
}
