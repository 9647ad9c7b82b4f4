import { randomUUID } from "node:crypto";
import { posix } from "node:path";
import type { Mount } from "../snapshot.js";

/** The directory of a writable snapshot in which the links are made. */
export interface LinkDirectory {
  /** Name of the directory in the snapshot's root. The maker of the image cannot guess it. */
  readonly name: string;
  readonly mounts: readonly Mount[];
  /** Mounts only this directory. Undefined if the snapshotter does not show where its files are. */
  readonly directoryMount: Mount | undefined;
  /** What is linked is copied into the snapshot first. */
  readonly isCopy: boolean;
}

export function createLinkDirectory(mounts: readonly Mount[]): LinkDirectory {
  const name = `.wfe-read-${randomUUID()}`;
  const [only] = mounts;
  const bindOf = (parent: string): Mount => ({
    type: "bind",
    source: posix.join(parent, name),
    target: "",
    options: ["rbind", "ro"],
  });
  const plain = { name, mounts, directoryMount: undefined, isCopy: false };
  if (mounts.length !== 1 || only === undefined) return plain;
  if (only.type === "bind") return { ...plain, directoryMount: bindOf(only.source) };
  const upper = only.options.find((option) => option.startsWith("upperdir="))?.slice("upperdir=".length);
  if (only.type !== "overlay" || upper === undefined) return plain;
  const options = [
    // Linux refuses to mount an upper directory again that was mounted with "volatile".
    ...only.options.filter((option) => option !== "volatile"),
    // Some kernels are configured to copy only the metadata of a linked file. Its data would be read as
    // zeros.
    "metacopy=off",
  ];
  // With a single overlay mount, the differ would unpack into the upper directory, which does not show the
  // image's files (containerd's diff/apply/apply_linux.go).
  const below: Mount = { type: "tmpfs", source: "tmpfs", target: "", options: [] };
  return {
    name,
    mounts: [below, { ...only, options }],
    directoryMount: bindOf(upper),
    isCopy: true,
  };
}
