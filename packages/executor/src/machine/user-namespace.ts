import type { AllowedStep } from "../core/plan/checked-step.js";
import { refuse, requireThat } from "../core/refuse.js";
import type { UserNamespace } from "../core/spec/namespaces.js";
import type { ProcessUser } from "../core/spec/user.js";
import type { Machine } from "./machine.js";

/**
 * The id mapping of a step that wants a user namespace; undefined for other steps.
 *
 * Layers say which ids own the image's files. These files must appear with the step's ids, not as nobody's.
 * That needs a snapshotter that maps ids: overlayfs since containerd 2.0, on a kernel with idmapped mounts
 * (5.19). The daemon tells whether it can.
 *
 * @throws ExecutorError `refused` if the snapshotter cannot map ids, or the step's user is outside the range,
 * or a field of the step does not work in a user namespace.
 */
export async function findUserNamespace(
  { client, idRange: { hostId, size } }: Machine,
  { userNamespace, privileged, network, secrets }: AllowedStep,
  user: ProcessUser,
): Promise<UserNamespace | undefined> {
  if (!userNamespace) return undefined;
  requireThat(
    !privileged,
    "user_namespace",
    "is given together with privileged",
    "only one of user_namespace and privileged",
  );
  requireThat(
    network !== "host",
    "user_namespace",
    "is given together with network: host, whose /sys cannot be mounted in a user namespace",
    "user_namespace with network: none or bridge",
  );
  requireThat(
    secrets.length === 0,
    "user_namespace",
    "is given together with secrets, which cannot be written into the memory of a user namespace from outside",
    "only one of user_namespace and secrets",
  );
  const plugins = await client.introspection.plugins([
    `type==io.containerd.snapshotter.v1,id==${client.snapshotter}`,
  ]);
  if (!plugins.some(({ capabilities }) => capabilities.includes("remap-ids"))) {
    const { version } = await client.version();
    refuse(
      "user_namespace",
      `the snapshotter ${client.snapshotter} of containerd ${version} does not map ids`,
      "user_namespace: false; or true with overlayfs on containerd 2.0 or later and Linux 5.19 or later",
    );
  }
  for (const [field, ids] of [
    ["user", [user.uid, user.gid]],
    ["group_add", user.additionalGids ?? []],
  ] as const) {
    for (const id of ids)
      requireThat(id < size, field, `the id ${id} is outside the user namespace`, `ids below ${size}`);
  }
  const mapping = [{ containerID: 0, hostID: hostId, size }];
  return { uidMappings: mapping, gidMappings: mapping };
}
