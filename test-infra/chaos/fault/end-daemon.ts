import type { TestDaemon } from "../../daemon/daemon.js";
import { type Fault, PHASES, type Strike } from "./fault.js";

const NAMES = { SIGKILL: "containerd is killed", SIGTERM: "containerd is restarted" } as const;

export interface EndDaemonOptions {
  /** It ends in order, or at once. */
  readonly signal: keyof typeof NAMES;
  /** Whether steps are further processes in a container that stays. @default false */
  readonly inSessions?: boolean;
  /** Whether a step's executor takes the daemon for that of another machine. */
  readonly isRemote?: (name: string) => boolean;
}

/** What the daemon says of a bundle that is still there. */
const BUNDLE = /\.task\/\S+: file exists/;

/** Ends containerd, and starts it again. */
export function endDaemon(
  { daemon }: TestDaemon,
  { signal, inSessions = false, isRemote = () => false }: EndDaemonOptions,
): Fault {
  return {
    name: NAMES[signal],
    parts: ["daemon"],
    phases: PHASES,
    lastsMs: 250,
    async strike() {
      daemon.kill(signal);
      await daemon.exited;
      return { heal: () => daemon.restart() };
    },
    explains({ name, cause, error = "", marks: { ranAtMs, endedAtMs } }, { untilMs }) {
      // It was ended while it removed the bundle of a creation that was cut off. On another machine, nobody
      // else can remove it.
      if (cause === "runtime") return isRemote(name) && ranAtMs === undefined && BUNDLE.test(error);
      if (cause !== "unknown") return false;
      // It was to be started just then, and nobody knows whether it was.
      if (ranAtMs === undefined) return true;
      // Of a further process that was being started, containerd cannot tell it afterwards.
      if (inSessions && ranAtMs <= untilMs) return true;
      // From 1.7 on, containerd forgets a process that ends while it is away.
      return !daemon.version.startsWith("1.6.") && endedAtMs !== undefined && endedAtMs <= untilMs;
    },
  };
}

/** Whether containerd was away. */
export function isDaemonEnd({ fault }: Strike): boolean {
  return Object.values<string>(NAMES).includes(fault.name);
}
