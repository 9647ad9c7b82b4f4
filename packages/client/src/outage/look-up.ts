import { create } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { CreateContainerResponseSchema } from "@wfe-containerd/proto/services/containers";
import { CreateImageResponseSchema } from "@wfe-containerd/proto/services/images";
import { CreateResponseSchema as CreateLeaseResponseSchema } from "@wfe-containerd/proto/services/leases";
import { CreateNamespaceResponseSchema } from "@wfe-containerd/proto/services/namespaces";
import {
  Kind,
  PrepareSnapshotResponseSchema,
  ViewSnapshotResponseSchema,
} from "@wfe-containerd/proto/services/snapshots";
import { ifFound } from "./if-found.js";
import type { Asked, RuleFor } from "./rule.js";

// A name may have been taken before, by another client. Then the daemon's "already exists" is the true
// answer.
// So what is found counts only if it has what was asked for, all labels included.

export const findContainer: RuleFor<"containers", "create"> = {
  async find({ services, request: { container: wanted = {} }, options }) {
    const found = await ifFound(services.containers.get({ id: wanted.id ?? "" }, options));
    const container = found?.container;
    if (container === undefined) return undefined;
    const isOurs =
      container.image === (wanted.image ?? "") &&
      container.snapshotKey === (wanted.snapshotKey ?? "") &&
      Buffer.compare(container.spec?.value ?? EMPTY, wanted.spec?.value ?? EMPTY) === 0 &&
      hasLabels(container.labels, wanted.labels);
    return isOurs ? create(CreateContainerResponseSchema, { container }) : undefined;
  },
};

export const findImage: RuleFor<"images", "create"> = {
  async find({ services, request: { image: wanted = {} }, options }) {
    const image = (await ifFound(services.images.get({ name: wanted.name ?? "" }, options)))?.image;
    const isOurs = image?.target?.digest === wanted.target?.digest && hasLabels(image?.labels, wanted.labels);
    return isOurs ? create(CreateImageResponseSchema, { image }) : undefined;
  },
};

export const findNamespace: RuleFor<"namespaces", "create"> = {
  async find({ services, request: { namespace: wanted = {} }, options }) {
    const found = await ifFound(services.namespaces.get({ name: wanted.name ?? "" }, options));
    const isOurs = found !== undefined && hasLabels(found.namespace?.labels, wanted.labels);
    return isOurs ? create(CreateNamespaceResponseSchema, { namespace: found.namespace }) : undefined;
  },
};

export const findLease: RuleFor<"leases", "create"> = {
  async find({ services, request: { id, labels }, options }) {
    // The daemon makes an id for a lease without one, and we do not know it.
    if (id === undefined || id === "") return undefined;
    const { leases } = await services.leases.list({ filters: [`id==${JSON.stringify(id)}`] }, options);
    const lease = leases.find((each) => each.id === id);
    const isOurs = lease !== undefined && hasLabels(lease.labels, labels);
    return isOurs ? create(CreateLeaseResponseSchema, { lease }) : undefined;
  },
};

export const findPrepared: RuleFor<"snapshots", "prepare"> = {
  async find(asked) {
    const mounts = await mountsOf(asked, Kind.ACTIVE);
    return mounts && create(PrepareSnapshotResponseSchema, { mounts });
  },
};

export const findView: RuleFor<"snapshots", "view"> = {
  async find(asked) {
    const mounts = await mountsOf(asked, Kind.VIEW);
    return mounts && create(ViewSnapshotResponseSchema, { mounts });
  },
};

async function mountsOf(
  { services, request, options }: Pick<Asked<SnapshotRequest, unknown>, "services" | "request" | "options">,
  kind: Kind,
) {
  const { snapshotter = "", key = "", parent = "", labels } = request;
  const info = (await ifFound(services.snapshots.stat({ snapshotter, key }, options)))?.info;
  if (info?.kind !== kind || info.parent !== parent || !hasLabels(info.labels, labels)) return undefined;
  return (await ifFound(services.snapshots.mounts({ snapshotter, key }, options)))?.mounts;
}

interface SnapshotRequest {
  readonly snapshotter?: string;
  readonly key?: string;
  readonly parent?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export const findCommit: RuleFor<"snapshots", "commit"> = {
  async find({ services, request: { snapshotter = "", name = "", key = "" }, options }) {
    const stat = (wanted: string) => ifFound(services.snapshots.stat({ snapshotter, key: wanted }, options));
    // A commit renames. If the key is still there, another client has committed the name.
    if ((await stat(key)) !== undefined) return undefined;
    return (await stat(name))?.info?.kind === Kind.COMMITTED ? create(EmptySchema) : undefined;
  },
};

const EMPTY = new Uint8Array();

function hasLabels(
  found: Readonly<Record<string, string>> = {},
  wanted: Readonly<Record<string, string>> = {},
): boolean {
  return Object.entries(wanted).every(([name, value]) => found[name] === value);
}
