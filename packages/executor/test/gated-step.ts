import { randomUUID } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  createExecutor,
  type ExecutorOptions,
  type StepEvent,
  type StepHandle,
  type StepInput,
  type StepPhase,
} from "@wfe-containerd/executor";
import type { TestDaemon } from "@wfe-containerd/test-infra/daemon";

/** All phases of a step, in order. */
export const PHASES: readonly StepPhase[] = [
  "resolving",
  "preparing",
  "starting",
  "running",
  "settling",
  "releasing",
];

/** A step that prints a line, waits until it is let go on, prints another line, and exits with 7. */
export interface GatedStep extends AsyncDisposable {
  readonly handle: StepHandle;
  /** All events so far. */
  readonly events: readonly StepEvent[];
  /** Resolves when an event of this type has come. Rejects if the events end without it. */
  seen(type: StepEvent["type"]): Promise<void>;
  /** All of its output, when its events have ended. */
  readonly text: Promise<string>;
  /** Lets the step go on: makes a file in its directory `/gate`. */
  open(file?: string): Promise<void>;
}

const GATED = "echo before; while [ ! -e /gate/go ]; do sleep 0.02; done; echo after; exit 7";

/** Starts such a step in an executor of its own. Resolves when it has printed its first line. */
export async function startGated(
  { client, daemon, ioDir }: Pick<TestDaemon, "client" | "daemon" | "ioDir">,
  options: ExecutorOptions = {},
  fields: Partial<StepInput> = {},
): Promise<GatedStep> {
  const policy = { mountSources: [daemon.directory] };
  const executor = createExecutor({ client, ioDir, policy, ...options });
  const gate = join(daemon.directory, `gate-${randomUUID()}`);
  await mkdir(gate, { mode: 0o755 });
  const volumes = [{ source: gate, target: "/gate" }];
  const handle = executor.start({ name: "gated", image: "busybox", run: GATED, volumes, ...fields });
  const events: StepEvent[] = [];
  const looks = new Set<() => void>();
  const ended = (async () => {
    for await (const event of handle) {
      events.push(event);
      for (const look of looks) look();
    }
  })();
  async function seen(type: StepEvent["type"]): Promise<void> {
    const isSeen = (): boolean => events.some((event) => event.type === type);
    const there = new Promise<void>((resolve) => {
      const look = (): void => void (isSeen() && resolve());
      looks.add(look);
      look();
    });
    await Promise.race([there, ended]);
    if (!isSeen()) throw new Error(`the step has ended without the event ${type}`);
  }
  const text = ended.then(() => textOf(events));
  text.catch(() => undefined);
  await Promise.all([seen("output"), handle.started]);
  return {
    handle,
    events,
    seen,
    text,
    open: (file = "go") => writeFile(join(gate, file), ""),
    [Symbol.asyncDispose]: async () => void (await executor.close()),
  };
}

function textOf(events: readonly StepEvent[]): string {
  const chunks = events.flatMap((event) => (event.type === "output" ? [Buffer.from(event.data)] : []));
  return Buffer.concat(chunks).toString();
}
