import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  CreateTaskResponseSchema,
  type DeleteResponse,
  DeleteResponseSchema,
  StartResponseSchema,
} from "@wfe-containerd/proto/services/tasks";
import { type Process, Status } from "@wfe-containerd/proto/types/task";
import { ifFound } from "./if-found.js";
import type { Asked, RuleFor } from "./rule.js";

export const findCreatedTask: RuleFor<"tasks", "create"> = {
  async find(asked) {
    const process = await findProcess(asked);
    if (process === undefined || process.status === Status.UNKNOWN) return undefined;
    const { containerId = "" } = asked.request;
    return create(CreateTaskResponseSchema, { containerId, pid: process.pid });
  },
  // A daemon whose client was cut off removes the task again, which takes a while.
  canBeLeaving: true,
};

export const findStarted: RuleFor<"tasks", "start"> = {
  async find(asked) {
    const { status, pid } = await knownProcess(asked);
    const isStarted = status !== Status.CREATED && status !== Status.UNKNOWN;
    if (isStarted) return create(StartResponseSchema, { pid });
    if ((asked.request.execId ?? "") === "") return undefined;
    // A shim whose daemon dies kills `runc exec`, maybe after the process has started. A second start would
    // run it twice and give an exit code of 0 at once, or close a closed channel, which ends the shim and
    // with it the container (containerd: pkg/process/exec.go, `close(e.waitBlock)`).
    throw new ConnectError(
      "the daemon was down, and nobody knows whether it started the process",
      Code.DataLoss,
    );
  },
};

export const findExec: RuleFor<"tasks", "exec"> = {
  find: async (asked) => ((await findProcess(asked)) === undefined ? undefined : create(EmptySchema)),
};

export const findPaused: RuleFor<"tasks", "pause"> = {
  async find(asked) {
    const { status } = await knownProcess(asked);
    return status === Status.PAUSED || status === Status.PAUSING ? create(EmptySchema) : undefined;
  },
};

export const findResumed: RuleFor<"tasks", "resume"> = {
  async find(asked) {
    const { status } = await knownProcess(asked);
    return status === Status.RUNNING ? create(EmptySchema) : undefined;
  },
};

/** Asked again as long as the daemon knows the process. From 1.7 on it forgets those that ended meanwhile. */
export const findWaited: RuleFor<"tasks", "wait"> = {
  async find(asked) {
    await knownProcess(asked);
    return undefined;
  },
};

/**
 * The answer to a delete has the exit code, which is gone with the task. So it is read before, and it is the
 * answer if the task was deleted but the daemon's own answer was lost.
 */
export const rememberExit: RuleFor<"tasks", "delete"> = { before: readExit, find: findExit };
export const rememberExitOfProcess: RuleFor<"tasks", "deleteProcess"> = { before: readExit, find: findExit };

type Request = { readonly containerId?: string; readonly execId?: string };
type Question = Pick<Asked<Request, DeleteResponse>, "services" | "request" | "options">;

/** A shim that hangs must not keep the delete waiting. */
const READ_MS = 5_000;

async function readExit({ options, ...asked }: Question): Promise<DeleteResponse | undefined> {
  const process = await findProcess({ ...asked, options: { ...options, timeoutMs: READ_MS } });
  if (process?.status !== Status.STOPPED) return undefined;
  const { id, pid, exitStatus, exitedAt } = process;
  return create(DeleteResponseSchema, { id, pid, exitStatus, ...(exitedAt && { exitedAt }) });
}

async function findExit(asked: Asked<Request, DeleteResponse>): Promise<DeleteResponse | undefined> {
  if ((await findProcess(asked)) !== undefined) return undefined;
  return asked.known ?? forgotten();
}

async function findProcess({ services, request, options }: Question): Promise<Process | undefined> {
  const { containerId = "", execId = "" } = request;
  return (await ifFound(services.tasks.get({ containerId, execId }, options)))?.process;
}

async function knownProcess(asked: Question): Promise<Process> {
  return (await findProcess(asked)) ?? forgotten();
}

function forgotten(): never {
  throw new ConnectError("the daemon was down, and no longer knows the process", Code.DataLoss);
}
