import { type Client, isContainerdError } from "@wfe-containerd/client";
import { checkSnapshotName } from "./core/plan/session-snapshot.js";
import { refuse } from "./core/refuse.js";
import { ExecutorError } from "./error.js";
import { toExecutorError } from "./failure.js";
import type { SessionSnapshot } from "./snapshots/session-snapshot.js";
import { takeSnapshot } from "./snapshots/take-snapshot.js";
import type { ExecParts } from "./start-exec.js";

/**
 * Keeps the file system of a session under a name.
 *
 * @param ended its abort tells that the session ends.
 * @throws ExecutorError
 */
export async function snapshotSession(
  { executor, host }: ExecParts,
  name: string,
  replace: boolean,
  ended: AbortSignal,
): Promise<SessionSnapshot> {
  checkSnapshotName("name", name);
  const { plan, resolved } = host.look();
  const { step, machine, userNamespace } = resolved;
  const { name: image, digest, config } = plan.record.image;
  const { client } = machine;
  if (step.containerdAddr !== undefined)
    refuse(
      "snapshot",
      "the session is not on the executor's own daemon",
      "a session without containerd_addr",
    );
  if (userNamespace !== undefined)
    refuse(
      "snapshot",
      "the files of the session have the ids of its user namespace",
      "a session without user_namespace",
    );
  if (plan.container.runtime.sandboxed)
    refuse(
      "snapshot",
      "the container has a kernel of its own, which keeps files to itself",
      "a session in a runtime such as runc",
    );
  if (config === undefined)
    refuse("snapshot", "an older version has opened the session", "a session that this version opens");
  const taking = takeSnapshot(
    {
      client,
      id: plan.id,
      image: { name: image, digest, config },
      rootfs: plan.rootfs,
      freezer: host.freezer,
    },
    { name, replace, owner: await executor.owner(), signal: ended },
  ).catch(async (cause: unknown) => {
    if (ended.aborted || (await hasEnded(client, plan.id)))
      throw new ExecutorError("the session has ended before its snapshot was complete", {
        kind: "aborted",
        cause,
      });
    throw toExecutorError(cause);
  });
  // The container's files are there until it is over.
  host.add(taking);
  return taking;
}

/** Another process may have ended it, and nobody has told us yet. */
async function hasEnded(client: Client, id: string): Promise<boolean> {
  return client.tasks.get(id).then(
    ({ status }) => status === "stopped",
    (reason: unknown) => isContainerdError(reason, "not-found"),
  );
}
