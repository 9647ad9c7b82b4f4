import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Container as WireContainer } from "@wfe-containerd/proto/services/containers";
import { type AnyValue, fromJsonAny, RUNTIME_SPEC, toJsonAny } from "./any.js";
import { type CallOptions, callService } from "./call.js";
import type { Context } from "./context.js";
import { checkIdentifier, checkLabels } from "./identifier.js";

/** A container's record: what it is made of. What runs in it is its task. */
export interface Container {
  readonly id: string;
  /** Name of the image it was made from; only a word, containerd does not look at it. */
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly snapshotter: string;
  /** Of its root file system; the record keeps it from garbage collection. */
  readonly snapshotKey: string;
  readonly runtimeName: string;
  /** The OCI runtime spec, as its JSON; undefined where the record has none that is JSON. */
  readonly spec: unknown;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface CreateContainerOptions extends CallOptions {
  readonly id: string;
  readonly image?: string;
  readonly snapshotKey?: string;
  /** Default: the client's. */
  readonly snapshotter?: string;
  /** Default: `io.containerd.runc.v2`, without options. */
  readonly runtime?: { readonly name?: string; readonly options?: AnyValue };
  /** The OCI runtime spec, as its JSON would be; a number above 2^53 is a `bigint`. */
  readonly spec: object;
  readonly labels?: Readonly<Record<string, string>>;
  readonly extensions?: Readonly<Record<string, AnyValue>>;
}

/** containerd's containers (`services/containers/v1`). */
export interface Containers {
  /** @throws ContainerdError `already-exists`. */
  create(options: CreateContainerOptions): Promise<Container>;
  /** @throws ContainerdError `not-found`. */
  get(id: string, options?: CallOptions): Promise<Container>;
  /** @param filters containerd's filter language, any of which must match: `id==x`, `labels."k"==v`, `labels."k"` for: has it. */
  list(filters?: readonly string[], options?: CallOptions): Promise<Container[]>;
  /** Sets these labels and leaves the others as they are; an empty value removes one. */
  setLabels(id: string, labels: Readonly<Record<string, string>>, options?: CallOptions): Promise<void>;
  /**
   * Deletes the record. The daemon does not look whether a task still runs: delete that first, or it is orphaned.
   *
   * @throws ContainerdError `not-found`.
   */
  delete(id: string, options?: CallOptions): Promise<void>;
}

const DEFAULT_RUNTIME = "io.containerd.runc.v2";

export function createContainers({
  services: { containers },
  snapshotter: ownSnapshotter,
}: Context): Containers {
  return {
    create(options) {
      const { id, image = "", snapshotKey = "", snapshotter = ownSnapshotter, runtime = {}, spec } = options;
      const container = {
        id: checkIdentifier("container id", id),
        image,
        snapshotKey,
        snapshotter,
        runtime: {
          name: runtime.name ?? DEFAULT_RUNTIME,
          ...(runtime.options && { options: runtime.options }),
        },
        spec: toJsonAny(RUNTIME_SPEC, spec),
        labels: checkLabels(options.labels),
        extensions: { ...options.extensions },
      };
      return callService(`create container ${id}`, async () => {
        const response = await containers.create({ container }, callOptions(options));
        return toContainer(response.container as WireContainer);
      });
    },
    get: (id, options) =>
      callService(`get container ${id}`, async () => {
        return toContainer((await containers.get({ id }, options)).container as WireContainer);
      }),
    list: (filters = [], options) =>
      callService("list containers", async () => {
        return (await containers.list({ filters: [...filters] }, options)).containers.map(toContainer);
      }),
    async setLabels(id, labels, options) {
      const paths = Object.keys(labels).map((label) => `labels.${label}`);
      const container = { id, labels: checkLabels(labels) };
      await callService(`label container ${id}`, () =>
        containers.update({ container, updateMask: { paths } }, options),
      );
    },
    async delete(id, options) {
      await callService(`delete container ${id}`, () => containers.delete({ id }, options));
    },
  };
}

function callOptions({ signal, timeoutMs }: CallOptions): CallOptions {
  return { signal, timeoutMs };
}

function toContainer(wire: WireContainer): Container {
  const date = (time: WireContainer["createdAt"]): Date =>
    time === undefined ? new Date(0) : timestampDate(time);
  return {
    id: wire.id,
    image: wire.image,
    labels: wire.labels,
    snapshotter: wire.snapshotter,
    snapshotKey: wire.snapshotKey,
    runtimeName: wire.runtime?.name ?? "",
    spec: fromJsonAny(wire.spec),
    createdAt: date(wire.createdAt),
    updatedAt: date(wire.updatedAt),
  };
}
