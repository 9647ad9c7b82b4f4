import { ConnectError } from "@connectrpc/connect";
import { type Info, Kind } from "@wfe-containerd/proto/services/snapshots";
import { CALL_OPTIONS, type CallOptions, callService, callStream } from "./call.js";
import type { Context } from "./context.js";
import { checkLabels } from "./identifier.js";
import type { NounOptions, OptionNames } from "./options.js";
import { resumeList } from "./outage/resume.js";
import { toDate } from "./timestamp.js";

/** The arguments of mount(2) that mount a snapshot on the daemon's machine. */
export interface Mount {
  readonly type: string;
  readonly source: string;
  readonly target: string;
  readonly options: readonly string[];
}

/** Mounts in the form that requests have. */
export function toWireMounts(mounts: readonly Mount[]) {
  return mounts.map(({ options, ...mount }) => ({ ...mount, options: [...options] }));
}

/** A snapshot's record. */
export interface Snapshot {
  /** The snapshot's key; for a committed snapshot, its name. */
  readonly name: string;
  /** Name of the parent snapshot. Empty without a parent. */
  readonly parent: string;
  readonly kind: "view" | "active" | "committed" | "unknown";
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: Date;
}

/** Options of every call about snapshots. */
export interface SnapshotOptions extends CallOptions {
  /**
   * The snapshotter to ask.
   *
   * @default the client's
   */
  readonly snapshotter?: string | undefined;
}

/** Options of the calls that make a snapshot. */
export interface CreateSnapshotOptions extends SnapshotOptions {
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/**
 * containerd's snapshots (`services/snapshots/v1`): layers of file systems, managed by one of the daemon's
 * snapshotters.
 */
export interface Snapshots {
  /**
   * Makes a writable snapshot. It is empty, or begins with the content of its parent.
   *
   * @param parent a committed snapshot. For an image's file system this is the chain ID.
   * @throws ContainerdError `already-exists`; `not-found` when the parent does not exist.
   */
  prepare(key: string, parent?: string, options?: CreateSnapshotOptions): Promise<Mount[]>;
  /** As {@link prepare}, but read-only. */
  view(key: string, parent?: string, options?: CreateSnapshotOptions): Promise<Mount[]>;
  /**
   * The mounts of an existing snapshot.
   *
   * @throws ContainerdError `not-found`.
   */
  mounts(key: string, options?: SnapshotOptions): Promise<Mount[]>;
  /**
   * Commits an active snapshot under a name.
   *
   * @throws ContainerdError `already-exists`, `not-found`.
   */
  commit(name: string, key: string, options?: CreateSnapshotOptions): Promise<void>;
  /**
   * Reads a snapshot's record.
   *
   * @throws ContainerdError `not-found`.
   */
  stat(key: string, options?: SnapshotOptions): Promise<Snapshot>;
  /**
   * Removes a snapshot.
   *
   * @throws ContainerdError `not-found`; `failed-precondition` when it has children.
   */
  remove(key: string, options?: SnapshotOptions): Promise<void>;
  /** Lists the snapshotter's snapshots. */
  list(filters?: readonly string[], options?: SnapshotOptions): AsyncIterable<Snapshot>;
  /** Bytes and inodes of the snapshot itself, without its parents. */
  usage(key: string, options?: SnapshotOptions): Promise<{ sizeBytes: number; inodes: number }>;
  /** Sets these labels and leaves the others unchanged. An empty value removes the label. */
  setLabels(key: string, labels: Readonly<Record<string, string>>, options?: SnapshotOptions): Promise<void>;
}

const ASK: OptionNames<SnapshotOptions> = { ...CALL_OPTIONS, snapshotter: true };
const CREATE: OptionNames<CreateSnapshotOptions> = { ...ASK, labels: true };

export const SNAPSHOTS_OPTIONS: NounOptions<Snapshots> = {
  prepare: ["2", CREATE],
  view: ["2", CREATE],
  mounts: ["1", ASK],
  commit: ["2", CREATE],
  stat: ["1", ASK],
  remove: ["1", ASK],
  list: ["1", ASK, "throws"],
  usage: ["1", ASK],
  setLabels: ["2", ASK],
};

const KINDS = {
  [Kind.UNKNOWN]: "unknown",
  [Kind.VIEW]: "view",
  [Kind.ACTIVE]: "active",
  [Kind.COMMITTED]: "committed",
} as const;

export function createSnapshots(context: Context): Snapshots {
  const { snapshots } = context.services;

  /** Separates the snapshotter, which belongs in the request, from the call's options. */
  function split<T extends SnapshotOptions>(options: T | undefined) {
    const { snapshotter = context.snapshotter, ...rest } = options ?? {};
    return [snapshotter, rest as Omit<T, "snapshotter">] as const;
  }

  return {
    prepare(key, parent = "", options) {
      const [snapshotter, { labels, ...callOptions }] = split(options);
      return callService(`prepare snapshot ${key}`, async () => {
        const request = { snapshotter, key, parent, labels: checkLabels(labels) };
        return (await onceMoreAfterCrash(() => snapshots.prepare(request, callOptions))).mounts;
      });
    },
    view(key, parent = "", options) {
      const [snapshotter, { labels, ...callOptions }] = split(options);
      return callService(`make a view of snapshot ${parent}`, async () => {
        const request = { snapshotter, key, parent, labels: checkLabels(labels) };
        return (await onceMoreAfterCrash(() => snapshots.view(request, callOptions))).mounts;
      });
    },
    mounts(key, options) {
      const [snapshotter, callOptions] = split(options);
      return callService(`ask for the mounts of snapshot ${key}`, async () => {
        return (await snapshots.mounts({ snapshotter, key }, callOptions)).mounts;
      });
    },
    async commit(name, key, options) {
      const [snapshotter, { labels, ...callOptions }] = split(options);
      const request = { snapshotter, name, key, labels: checkLabels(labels) };
      await callService(`commit snapshot ${key} as ${name}`, () => snapshots.commit(request, callOptions));
    },
    stat(key, options) {
      const [snapshotter, callOptions] = split(options);
      return callService(`stat snapshot ${key}`, async () => {
        return toSnapshot((await snapshots.stat({ snapshotter, key }, callOptions)).info as Info);
      });
    },
    async remove(key, options) {
      const [snapshotter, callOptions] = split(options);
      await callService(`remove snapshot ${key}`, () => snapshots.remove({ snapshotter, key }, callOptions));
    },
    async *list(filters = [], options) {
      const [snapshotter, callOptions] = split(options);
      const request = { snapshotter, filters: [...filters] };
      const open = (signal: AbortSignal) => snapshots.list(request, { ...callOptions, signal });
      yield* resumeList(
        context,
        "snapshots.list",
        callOptions.signal,
        ({ name }) => name,
        async function* (cut) {
          for await (const { info } of callStream("list snapshots", cut, open)) yield* info.map(toSnapshot);
        },
      );
    },
    usage(key, options) {
      const [snapshotter, callOptions] = split(options);
      return callService(`measure snapshot ${key}`, async () => {
        const { size, inodes } = await snapshots.usage({ snapshotter, key }, callOptions);
        return { sizeBytes: Number(size), inodes: Number(inodes) };
      });
    },
    async setLabels(key, labels, options) {
      const [snapshotter, callOptions] = split(options);
      const paths = Object.keys(labels).map((label) => `labels.${label}`);
      const request = {
        snapshotter,
        info: { name: key, labels: checkLabels(labels) },
        updateMask: { paths },
      };
      await callService(`label snapshot ${key}`, () => snapshots.update(request, callOptions));
    },
  };
}

/**
 * Makes a snapshot, and tries a second time after a daemon's crash. A daemon that is killed while it makes a
 * snapshot may leave the directory behind without recording the snapshot's number. The next snapshot gets the
 * same number. It fails, but removes the directory (`createSnapshot` in containerd's `snapshots/overlay`), so
 * the second try works.
 */
async function onceMoreAfterCrash<T>(make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (reason) {
    if (!(reason instanceof ConnectError) || !/failed to rename: .*file exists/.test(reason.message))
      throw reason;
  }
  return make();
}

function toSnapshot({ name, parent, kind, labels, createdAt }: Info): Snapshot {
  return { name, parent, kind: KINDS[kind] ?? "unknown", labels, createdAt: toDate(createdAt) };
}
