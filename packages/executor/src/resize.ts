import { ignoreNotFound } from "@wfe-containerd/client/internal";
import { refuse } from "./core/refuse.js";
import { checkTerminal, type TerminalSize } from "./core/spec/terminal.js";
import type { ExecHost } from "./exec-host.js";

/** A process whose terminal is to be resized. */
export interface TerminalProcess {
  readonly host: ExecHost;
  readonly started: Promise<void>;
  /** Undefined: the container's first process. */
  readonly execId?: string | undefined;
  readonly hasTerminal: boolean;
}

/** Sets the size of a process's terminal, as soon as the process runs. */
export async function resizeTerminal(
  { host, started, execId, hasTerminal }: TerminalProcess,
  size: TerminalSize,
): Promise<void> {
  if (!hasTerminal)
    refuse(
      "resize",
      "the process has no terminal",
      "a process that was started with terminal; example: { columns: 80, rows: 24 }",
    );
  const { columns = 0, rows = 0 } = checkTerminal(size) ?? {};
  await started;
  const { plan, resolved } = host.enter();
  const { tasks } = resolved.machine.client;
  await ignoreNotFound(tasks.resizePty(plan.id, { width: columns, height: rows }, { execId }));
}
