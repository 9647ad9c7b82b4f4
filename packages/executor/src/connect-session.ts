import type { Client } from "@wfe-containerd/client";
import { isSessionLabelled, LABELS } from "./core/plan/labels.js";
import { refuse } from "./core/refuse.js";
import { createExecHost } from "./exec-host.js";
import { type SessionProcess, sessionOf } from "./open-session.js";
import { attachTo } from "./other-steps.js";
import { endProcess } from "./process/kill-process.js";
import { leftDeadline } from "./record/left-deadline.js";
import { findOwner, findRecorded, isLeft } from "./record/recorded-step.js";
import { listSteps, removeStep } from "./record/steps.js";
import type { ConnectOptions, ListedSession, Session } from "./session.js";
import { checkDeadlines } from "./session-deadlines.js";
import type { StartedStep, StepHost } from "./start-step.js";

/** A session of another process, and the step that follows its first process. */
export interface ConnectedSession {
  readonly session: Session;
  readonly started: StartedStep;
}

/**
 * Connects to a running session.
 *
 * @param word its id, or its name.
 * @throws ExecutorError `invalid-argument` if there is no such session; `refused` if it does not run.
 */
export async function connectSession(
  host: StepHost,
  client: Client,
  word: string,
  options: ConnectOptions,
): Promise<ConnectedSession> {
  checkDeadlines(options);
  const execs = createExecHost("the session");
  const { secrets } = options;
  const { started, found, container } = await attachTo(host, word, { secrets }, execs);
  const { handle } = started;
  const { id } = handle;
  const leave = async (): Promise<void> => {
    handle.kill();
    await handle[Symbol.asyncDispose]();
  };
  try {
    if (!isSessionLabelled(found.step.container?.labels))
      refuse(
        "session",
        `${id} is a step, and no session`,
        "the id or the name of a session, as sessions() gives it",
      );
    if (container === undefined) refuse("session", `session ${id} does not run`, "a running session");
    await handle.started;
  } catch (reason) {
    await leave();
    throw reason;
  }
  const { machine } = container.resolved;
  const { maximumTimeoutMs } = host.context.rules.policy;
  const process: SessionProcess = {
    handle,
    leave,
    deadline: isLeft(found.step) ? leftDeadline(machine, id, "lifetimeMs", maximumTimeoutMs) : undefined,
    async end(graceMs) {
      await endProcess(client, { containerId: id }, { signal: found.record.stop.signal, graceMs });
      await handle.closed;
      await handle[Symbol.asyncDispose]();
      if (await isNobodys(client, id)) await removeStep(client, id);
    },
  };
  return { session: sessionOf(host.execsOf(execs), process, found.record.name, options), started };
}

/** Otherwise its own process removes it. */
async function isNobodys(client: Client, id: string): Promise<boolean> {
  const now = await findRecorded(client, id);
  return now !== undefined && (isLeft(now) || (await findOwner(now)) === undefined);
}

/** The sessions of the client's namespace, the newest first. */
export async function listSessions(client: Client): Promise<ListedSession[]> {
  const containers = await client.containers.list([`labels."${LABELS.session}"`]);
  const ids = new Set(containers.map(({ id }) => id));
  const steps = (await listSteps(client)).filter(({ id }) => ids.has(id));
  return steps
    .map(({ id, name, image, status, executor, createdAt }) => ({
      id,
      name,
      image,
      status,
      executor,
      createdAt,
    }))
    .toSorted((a, b) => (b.createdAt?.getTime() ?? 0) - (a.createdAt?.getTime() ?? 0));
}
