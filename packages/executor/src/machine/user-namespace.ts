import type { Client } from "@wfe-containerd/client";
import { refuse, requireThat } from "../core/refuse.js";
import type { UserNamespace } from "../core/spec/namespaces.js";
import type { ProcessUser } from "../core/spec/user.js";
import type { StepConfig } from "../core/step/step.js";
import { ExecutorError } from "../error.js";

/**
 * The ids on the daemon's machine that steps with a user namespace are mapped to: id 0 to `hostId`, 1 to
 * `hostId` + 1, and so on.
 */
export interface IdRange {
  /**
   * The first id. The default is above the ids that people, services and subordinate ids are given.
   *
   * @default 1_000_000_000
   */
  readonly hostId?: number | undefined;
  /** How many ids. The default includes nobody, 65534. @default 65_536 */
  readonly size?: number | undefined;
}

const DEFAULT_HOST_ID = 1_000_000_000;
const DEFAULT_SIZE = 65_536;

/**
 * Checks the id range that the operator configured, and fills in the defaults.
 *
 * @throws ExecutorError `invalid-argument`.
 */
export function checkIdRange({ hostId = DEFAULT_HOST_ID, size = DEFAULT_SIZE }: IdRange): Required<IdRange> {
  const isRange =
    Number.isSafeInteger(hostId) &&
    Number.isSafeInteger(size) &&
    hostId > 0 &&
    size > 0 &&
    hostId + size < 2 ** 31;
  if (isRange) return { hostId, size } as Required<IdRange>;
  throw new ExecutorError(
    `userNamespace: ${hostId} and the ${size} ids from it on are not a range; allowed: a hostId above 0, and all ids below 2^31`,
    { kind: "invalid-argument" },
  );
}

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
  client: Client,
  { userNamespace, privileged, network, secrets }: StepConfig,
  user: ProcessUser,
  range: IdRange,
): Promise<UserNamespace | undefined> {
  if (!userNamespace) return undefined;
  const { hostId, size } = checkIdRange(range);
  requireThat(!privileged, "user_namespace", "it is given together with privileged", "one of them");
  requireThat(
    network !== "host",
    "user_namespace",
    "it is given together with network: host, whose /sys cannot be mounted in a user namespace",
    "one of them",
  );
  requireThat(
    secrets.length === 0,
    "user_namespace",
    "it is given together with secrets, which nobody outside of a user namespace can write into its memory",
    "one of them",
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
      requireThat(id < size, field, `${id} is outside the user namespace`, `ids below ${size}`);
  }
  const mapping = [{ containerID: 0, hostID: hostId, size }];
  return { uidMappings: mapping, gidMappings: mapping };
}
