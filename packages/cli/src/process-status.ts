/** A process, as /proc describes it. */
export interface ProcessStatus {
  readonly pid: number;
  readonly parent: number;
  /** The user's id on the machine: within a user namespace it is another. */
  readonly user: number;
  /** The letter of ps(1): R, S, D, Z, T. */
  readonly state: string;
  /** CPU time of the process, in milliseconds. */
  readonly cpuTimeMs: number;
  readonly command: string;
}

/** The kernel's unit of time for programs, on every architecture: USER_HZ, 100 a second. */
const TICK_MS = 10;

/**
 * Reads what /proc says of a process: `stat`, `status` and `cmdline`. Source: proc(5).
 *
 * @returns Undefined if the texts are not those of a process.
 */
export function parseProcess(
  pid: number,
  { stat, status, cmdline }: { readonly stat: string; readonly status: string; readonly cmdline: string },
): ProcessStatus | undefined {
  // The name stands in parentheses, and may have blanks and parentheses of its own.
  const [, name = "", rest = ""] = /^\d+ \(([\s\S]*)\) ([\s\S]*)$/.exec(stat) ?? [];
  const fields = rest.trim().split(" ");
  const user = /^Uid:\s*(\d+)/m.exec(status)?.[1];
  if (fields.length < 13 || user === undefined) return undefined;
  const [state = "", parent] = fields;
  const ticks = Number(fields[11]) + Number(fields[12]);
  const args = cmdline.replace(/\0+$/, "").replaceAll("\0", " ");
  return {
    pid,
    parent: Number(parent),
    user: Number(user),
    state,
    cpuTimeMs: ticks * TICK_MS,
    // A kernel thread or a zombie has no arguments. ps(1) shows their names in brackets.
    command: args === "" ? `[${name}]` : args,
  };
}

/** `01:02:03`: hours, minutes and seconds, as ps(1) prints them. */
export function formatCpuTime(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
    .map((each) => String(each).padStart(2, "0"))
    .join(":");
}
