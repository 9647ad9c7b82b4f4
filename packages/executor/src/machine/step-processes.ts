import { readdir, readFile } from "node:fs/promises";
import { isStepId } from "../step-id.js";

/** A process of a step: its shim, or a process in its container. */
export interface StepProcess {
  readonly pid: number;
  readonly stepId: string;
  /** Only of a shim: the daemon and the namespace that it works for. */
  readonly shim: { readonly address: string; readonly namespace: string } | undefined;
}

/**
 * Lists the processes of steps on this machine, of all daemons. A shim that died has left the others.
 *
 * @param kind `shims` is quicker on a machine with many processes.
 */
export async function listStepProcesses(kind: "all" | "shims" = "all"): Promise<StepProcess[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const found: StepProcess[] = [];
  for (const pid of pids) {
    const args = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
    const stepId = argumentOf("-id", args);
    if (/containerd-shim/.test(args[0] ?? "") && isStepId(stepId)) {
      const shim = { address: argumentOf("-address", args), namespace: argumentOf("-namespace", args) };
      found.push({ pid, stepId, shim });
      continue;
    }
    if (kind === "shims") continue;
    const groups = await readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "");
    // A step may have made further groups below its own.
    const inStep = groups.split(/[/\n]/).find(isStepId);
    if (inStep !== undefined) found.push({ pid, stepId: inStep, shim: undefined });
  }
  return found;
}

function argumentOf(flag: string, args: readonly string[]): string {
  const at = args.indexOf(flag);
  return at < 0 ? "" : (args[at + 1] ?? "");
}
