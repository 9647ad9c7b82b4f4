import { HOST_FILE_TARGETS } from "../network/host-files.js";
import { KERNEL_DIRECTORIES } from "../policy/reserved-paths.js";
import type { ArchiveEntry } from "./archive.js";

/**
 * A committed snapshot on top of an image's layers, with what is the same in every step of the image. The
 * snapshots of steps stand on it.
 */
export interface BaseLayer {
  /** The key of the snapshot. */
  readonly key: string;
  /**
   * Whether it has empty files for `/etc/hosts` and its like to be mounted on. It has none if `/etc` of the
   * image is a file or a circle of links. Such an image keeps its own.
   */
  readonly hasNameFiles: boolean;
}

/** Changes with the entries below: the layer of another version is not theirs. */
const VERSION = 1;
const PREFIX = `wfe-containerd-base-${VERSION}`;

/** The label of base layers. Its value is the chain ID of the image. */
export const BASE_LAYER_LABEL = "wfe-containerd/base";

/** The base layers that an image can have, the usual one first. */
export function baseLayersOf(chainId: string): readonly BaseLayer[] {
  const key = `${PREFIX}-${chainId === "" ? "empty" : chainId.replace(":", "-")}`;
  return [
    { key, hasNameFiles: true },
    { key: `${key}-without-names`, hasNameFiles: false },
  ];
}

/**
 * The label that refers from an image's config to its base layer. Garbage collection then keeps the layer as
 * long as the image: what follows the slash is only a name. Source: containerd's metadata/gc.go.
 */
export function baseLayerReference(snapshotter: string, { key }: BaseLayer): Record<string, string> {
  return { [`containerd.io/gc.ref.snapshot.${snapshotter}/${PREFIX}`]: key };
}

/**
 * Returns the content of a base layer. These are real directories wherever a link of the image could lead
 * the runtime out of the root file system, and the files that `/etc/hosts` and its like are mounted on.
 *
 * runc follows a link at `/dev` by its text when it mounts there, but by the kernel's rules afterwards, when
 * it writes to what it finds as `/dev/null`. That may be a file of the daemon's machine. CVE-2026-41579 is
 * one of the ways.
 */
export function baseLayerEntries({ hasNameFiles }: Pick<BaseLayer, "hasNameFiles">): ArchiveEntry[] {
  const owner = { uid: 0, gid: 0 };
  const directories = KERNEL_DIRECTORIES.map(
    (path): ArchiveEntry => ({ type: "directory", name: path.slice(1), mode: 0o755, ...owner }),
  );
  const files = HOST_FILE_TARGETS.map(
    (path): ArchiveEntry => ({
      type: "file",
      name: path.slice(1),
      contents: new Uint8Array(),
      mode: 0o644,
      ...owner,
    }),
  );
  return [...directories, ...(hasNameFiles ? files : [])];
}
