/**
 * A directory, file or symbolic link to unpack. Its name is relative to the place that it is unpacked at,
 * without a leading slash.
 */
export type ArchiveEntry = { readonly name: string } & (
  | {
      readonly type: "directory";
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
      /** Extended attributes. A file system that cannot have one goes without. */
      readonly xattrs?: Readonly<Record<string, string>> | undefined;
    }
  | {
      readonly type: "file";
      readonly contents: Uint8Array;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | { readonly type: "symlink"; readonly target: string }
);
