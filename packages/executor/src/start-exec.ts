import type { AbortRelay } from "./abort-relay.js";
import { checkTerminal } from "./core/spec/terminal.js";
import type { SecretValues } from "./core/step/secret.js";
import { traceExec } from "./diagnostics/exec.js";
import type { ExecHost } from "./exec-host.js";
import type { ExecInput } from "./exec-input.js";
import type { StepHandle } from "./handle.js";
import { checkStdin } from "./io/stdin-source.js";
import { createEventQueue, type EventQueue } from "./log/event-queue.js";
import type { KeptLogs } from "./log/kept-logs.js";
import { openHandle } from "./open-handle.js";
import { createExecId } from "./process/process-id.js";
import { resizeTerminal } from "./resize.js";
import { createRelease, type Release } from "./resources/release.js";
import { runExec } from "./run-exec.js";
import type { ExecutorContext } from "./stages/context.js";

/** What the processes of one executor have in common. */
export interface ExecParts {
  readonly executor: ExecutorContext;
  readonly host: ExecHost;
  readonly aborts: AbortRelay;
  readonly keptLogs: KeptLogs;
  /** Called with a release that did not finish. */
  onUnfinished(release: Release): void;
}

/** What a process has besides its fields. */
export interface ExecKind {
  readonly events?: EventQueue | undefined;
  /**
   * Whether the output is a file's contents, in which no secret is masked.
   *
   * @default false
   */
  readonly isRaw?: boolean;
  /** Values of its own secrets, by name. */
  readonly secrets?: SecretValues | undefined;
}

/** Adds a process to a container, and starts it. Never throws: the handle's `result` rejects instead. */
export function startExec(
  parts: ExecParts,
  input: ExecInput,
  { events = createEventQueue(), isRaw = false, secrets = {} }: ExecKind = {},
): StepHandle {
  const { executor, host, aborts, keptLogs, onUnfinished } = parts;
  const { signal, data = {}, stdin, terminal, ...process } = input ?? {};
  const id = createExecId();
  const release = createRelease();
  const isMap = typeof input === "object" && input !== null;
  const handle = openHandle({
    id,
    signal,
    aborts,
    events,
    keptLogs,
    async run(shown) {
      const exec = {
        ...shown,
        id,
        host,
        executor,
        release,
        process: isMap ? process : input,
        data,
        secretValues: secrets,
        isRaw,
        streams: { stdin, terminal },
        checkCall() {
          checkTerminal(terminal);
          checkStdin(stdin);
        },
      };
      const running = traceExec(exec, runExec);
      host.add(running);
      const unreleased = await running;
      if (unreleased.length > 0) onUnfinished(release);
      return unreleased;
    },
    exec: (further) => startExec(parts, further),
    resize: (size) =>
      resizeTerminal(
        { host, started: handle.started, execId: id, hasTerminal: terminal !== undefined },
        size,
      ),
  });
  return handle;
}
