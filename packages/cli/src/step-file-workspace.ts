import { isExecutorError, parseStep, type StepInput } from "@wfe-containerd/executor";

/** A directory that steps share. */
export interface WorkspaceMount {
  /** Its name as a volume. */
  readonly name: string;
  /** Its path in the containers. */
  readonly target: string;
}

/** Adds a workspace to a step, which works in it unless it names another directory. */
export function inWorkspace<T extends object>(step: T, { name, target }: WorkspaceMount): T {
  const given = step as Pick<StepInput, "volumes" | "workingDir"> & { readonly working_dir?: string };
  return {
    ...step,
    volumes: [...(given.volumes ?? []), { source: name, target }],
    working_dir: given.working_dir ?? (given.workingDir === undefined ? target : undefined),
  };
}

/** @returns what is wrong with the value of a file's `workspace`. */
export function workspaceProblem(target: unknown): string | undefined {
  const problem = `workspace: ${typeof target === "string" ? JSON.stringify(target) : "the value"}`;
  if (typeof target !== "string")
    return `${problem} is not text; allowed: a path in the container, for example /work`;
  try {
    parseStep({ name: "x", image: "x", volumes: [{ source: "x", target }] });
    return undefined;
  } catch (reason) {
    if (!isExecutorError(reason)) throw reason;
    const [issue] = reason.issues;
    return `${problem} cannot be the path of a directory in the container; allowed: ${issue?.allowed ?? "/work"}`;
  }
}
