/** A directory, a file or a symbolic link, below the place that it is unpacked at; without a slash before its name. */
export type ArchiveEntry = { readonly name: string } & (
  | { readonly type: "directory"; readonly mode: number; readonly uid: number; readonly gid: number }
  | {
      readonly type: "file";
      readonly contents: Uint8Array;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | { readonly type: "symlink"; readonly target: string }
);
