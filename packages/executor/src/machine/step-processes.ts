import { readFile } from "node:fs/promises";
import { isStepId } from "../step-id.js";
import { listProcessIds } from "./process-ids.js";

/** A process of a step: its shim, or a process in its container. */
export interface StepProcess {
  readonly pid: number;
  readonly stepId: string;
  /** The containerd namespace of the step. */
  readonly namespace: string;
  /** Undefined for a process in the step's container. */
  readonly shim: StepShim | undefined;
}

export interface StepShim {
  /** The socket of the daemon that it works for. */
  readonly address: string;
  /** False while it starts another shim, or removes what a dead one has left. Both end by themselves. */
  readonly isServing: boolean;
}

/**
 * Lists the processes of steps on this machine, of all daemons. A shim that died has left the others.
 *
 * @param kind `shims` is quicker on a machine with many processes.
 */
export async function listStepProcesses(kind: "all" | "shims" = "all"): Promise<StepProcess[]> {
  const found: StepProcess[] = [];
  for (const pid of await listProcessIds()) {
    const args = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
    const stepId = argumentOf("-id", args);
    if (/containerd-shim/.test(args[0] ?? "") && isStepId(stepId)) {
      const shim = { address: argumentOf("-address", args), isServing: !isShortLived(args) };
      found.push({ pid, stepId, namespace: argumentOf("-namespace", args), shim });
      continue;
    }
    if (kind === "shims") continue;
    const groups = await readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "");
    // A step may have made further groups below its own.
    const parts = groups.split(/[/\n]/);
    const at = parts.findIndex(isStepId);
    const [namespace, inStep] = at < 1 ? [] : parts.slice(at - 1);
    if (namespace !== undefined && inStep !== undefined)
      found.push({ pid, stepId: inStep, namespace, shim: undefined });
  }
  return found;
}

/** Its last argument says what it does (containerd, `core/runtime/v2/binary.go`). */
function isShortLived(args: readonly string[]): boolean {
  return ["start", "delete"].includes(args.findLast((arg) => arg !== "") ?? "");
}

function argumentOf(flag: string, args: readonly string[]): string {
  const at = args.indexOf(flag);
  return at < 0 ? "" : (args[at + 1] ?? "");
}
