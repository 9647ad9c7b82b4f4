import { create } from "@bufbuild/protobuf";
import { OptionsSchema } from "@wfe-containerd/proto/runc";
import type { Container as WireContainer } from "@wfe-containerd/proto/services/containers";
import { type AnyValue, fromJsonAny, RUNTIME_SPEC, toJsonAny, toMessageAny } from "./any.js";
import { CALL_OPTIONS, type CallOptions, callService } from "./call.js";
import type { Context } from "./context.js";
import { checkIdentifier, checkLabels } from "./identifier.js";
import { addLazyMembers } from "./lazy-members.js";
import type { NounOptions } from "./options.js";
import { refuse } from "./refuse.js";
import { toDate } from "./timestamp.js";

/** A container's record: its image, snapshot, runtime and spec. The running process is its task. */
export interface Container {
  readonly id: string;
  /** Name of the image that the container was made from. containerd stores the name and does not check it. */
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly snapshotter: string;
  /**
   * Key of the snapshot with the root file system. The record protects this snapshot from garbage collection.
   */
  readonly snapshotKey: string;
  readonly runtimeName: string;
  /** The OCI runtime spec, parsed from JSON. Undefined if the record has no spec, or one that is not JSON. */
  readonly spec: unknown;
  /** Values that clients have stored with the record, by name. containerd does not read them. */
  readonly extensions: Readonly<Record<string, AnyValue>>;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** A runtime of the daemon. */
export interface ContainerRuntime {
  /** @default io.containerd.runc.v2 */
  readonly name?: string | undefined;
  /**
   * The program that `io.containerd.runc.v2` starts instead of `runc`: a name on the daemon's PATH, or an
   * absolute path on its machine. For other options, use `options`.
   */
  readonly binary?: string | undefined;
  /** The runtime's own options, packed with `toMessageAny`. */
  readonly options?: AnyValue | undefined;
}

/** Options of {@link Containers.create}. */
export interface CreateContainerOptions extends CallOptions {
  readonly id: string;
  readonly image?: string | undefined;
  readonly snapshotKey?: string | undefined;
  /**
   * The snapshotter of `snapshotKey`.
   *
   * @default the client's
   */
  readonly snapshotter?: string | undefined;
  /**
   * The runtime, and options for it.
   *
   * @default `io.containerd.runc.v2`, without options
   */
  readonly runtime?: ContainerRuntime | undefined;
  /** The OCI runtime spec as an object. Use a `bigint` for a number above 2^53. */
  readonly spec: object;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly extensions?: Readonly<Record<string, AnyValue>> | undefined;
}

/** Options of {@link Containers.update}. */
export interface UpdateContainerOptions extends CallOptions {
  /** Labels to set. Others stay. An empty value removes the label. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Extensions to set. Others stay. */
  readonly extensions?: Readonly<Record<string, AnyValue>> | undefined;
}

/** containerd's containers (`services/containers/v1`). */
export interface Containers {
  /**
   * Creates the record. No process starts: see `Tasks.create`.
   *
   * @throws ContainerdError `already-exists`; `invalid-argument` for an invalid id or label.
   */
  create(options: CreateContainerOptions): Promise<Container>;
  /**
   * Reads a container's record.
   *
   * @throws ContainerdError `not-found`.
   */
  get(id: string, options?: CallOptions): Promise<Container>;
  /**
   * Lists the records of the namespace.
   *
   * @param filters in containerd's filter language: `id==x`, `labels."k"==v`; `labels."k"` means that the
   * label exists. A container is listed if any filter matches.
   */
  list(filters?: readonly string[], options?: CallOptions): Promise<Container[]>;
  /** Sets these labels and leaves the others unchanged. An empty value removes the label. */
  setLabels(id: string, labels: Readonly<Record<string, string>>, options?: CallOptions): Promise<void>;
  /**
   * Changes labels and extensions of a record in one call.
   *
   * @throws ContainerdError `not-found`; `invalid-argument` for an invalid label.
   */
  update(id: string, options: UpdateContainerOptions): Promise<Container>;
  /**
   * Deletes the record. Delete the task first: the daemon does not check for a running task, and the task
   * would be orphaned.
   *
   * @throws ContainerdError `not-found`.
   */
  delete(id: string, options?: CallOptions): Promise<void>;
}

export const CONTAINERS_OPTIONS: NounOptions<Containers> = {
  create: [
    "0",
    {
      ...CALL_OPTIONS,
      id: true,
      image: true,
      snapshotKey: true,
      snapshotter: true,
      runtime: { name: true, binary: true, options: true },
      spec: true,
      labels: true,
      extensions: true,
    },
  ],
  get: ["1", CALL_OPTIONS],
  list: ["1", CALL_OPTIONS],
  setLabels: ["2", CALL_OPTIONS],
  update: ["1", { ...CALL_OPTIONS, labels: true, extensions: true }],
  delete: ["1", CALL_OPTIONS],
};

const DEFAULT_RUNTIME = "io.containerd.runc.v2";

/** Both would be the same field of the record. */
function optionsOf({ binary, options }: ContainerRuntime): { readonly options?: AnyValue } {
  if (binary === undefined) return options === undefined ? {} : { options };
  if (options !== undefined) refuse("runtime: binary is given together with options", "one of them");
  return { options: toMessageAny(OptionsSchema, create(OptionsSchema, { binaryName: binary })) };
}

export function createContainers({
  services: { containers },
  snapshotter: ownSnapshotter,
}: Context): Containers {
  async function update(
    id: string,
    { labels, extensions = {}, ...options }: UpdateContainerOptions,
  ): Promise<Container> {
    const container = { id, labels: checkLabels(labels), extensions: { ...extensions } };
    const paths = [
      ...Object.keys(container.labels).map((label) => `labels.${label}`),
      ...Object.keys(extensions).map((name) => `extensions.${name}`),
    ];
    return callService(`update container ${id}`, async () => {
      // An empty mask would replace everything.
      if (paths.length === 0) return toContainer((await containers.get({ id })).container as WireContainer);
      const response = await containers.update({ container, updateMask: { paths } }, callOptions(options));
      return toContainer(response.container as WireContainer);
    });
  }

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
          ...optionsOf(runtime),
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
      await update(id, { ...options, labels });
    },
    update,
    async delete(id, options) {
      await callService(`delete container ${id}`, () => containers.delete({ id }, options));
    },
  };
}

function callOptions({ signal, timeoutMs }: CallOptions): CallOptions {
  return { signal, timeoutMs };
}

function toContainer(wire: WireContainer): Container {
  const container = {
    id: wire.id,
    image: wire.image,
    labels: wire.labels,
    snapshotter: wire.snapshotter,
    snapshotKey: wire.snapshotKey,
    runtimeName: wire.runtime?.name ?? "",
    extensions: wire.extensions,
    createdAt: toDate(wire.createdAt),
    updatedAt: toDate(wire.updatedAt),
  };
  // Who creates a container knows its spec, and parsing that takes a millisecond.
  return addLazyMembers<typeof container, Pick<Container, "spec">>(container, {
    spec: () => fromJsonAny(wire.spec),
  });
}
