import { type FSWatcher, watch } from "node:fs";

export interface DirectoryWatch {
  /** Called with the name of a file that has changed, if the kernel tells it. */
  readonly onChange: (name: string | null) => void;
  /** Called when the kernel has no free watch, or has removed ours. */
  readonly onLost: () => void;
}

export function watchDirectory(
  directory: string,
  { onChange, onLost }: DirectoryWatch,
): FSWatcher | undefined {
  try {
    const watcher = watch(directory, (_, name) => onChange(name));
    watcher.on("error", onLost);
    return watcher;
  } catch {
    onLost();
    return undefined;
  }
}
