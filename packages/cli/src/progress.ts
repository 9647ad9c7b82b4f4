import type { TransferProgress } from "@wfe-containerd/client";
import { drawBars, redraw, shorten, type TerminalSize } from "./bars.js";
import { formatBytes } from "./table.js";

export interface ProgressView {
  readonly show: (progress: TransferProgress) => void;
  /** Leaves what was drawn, and draws no more. */
  close(): void;
}

const DEFAULT_SIZE: TerminalSize = { rows: 24, columns: 80 };

/** Draws how far an image's blobs are: bars that move on a terminal, a line a change elsewhere, or JSON lines. */
export function createProgressView(
  how: "auto" | "plain" | "json" | "none",
  to: NodeJS.WriteStream,
): ProgressView {
  if (how === "none") return { show: () => undefined, close: () => undefined };
  if (how === "json")
    return { show: (progress) => void to.write(`${JSON.stringify(progress)}\n`), close: () => undefined };
  return how === "auto" && to.isTTY ? createBars(to) : createLines(to);
}

/** Only changes of state: a log is no place for movement. */
function createLines(to: NodeJS.WriteStream): ProgressView {
  const states = new Map<string, string>();
  return {
    show({ what, state, total }) {
      if (states.get(what) === state) return;
      states.set(what, state);
      to.write(`${shorten(what)}: ${state}${total > 0 ? ` (${formatBytes(total)})` : ""}\n`);
    },
    close: () => undefined,
  };
}

function createBars(to: NodeJS.WriteStream): ProgressView {
  const blobs = new Map<string, TransferProgress>();
  let drawn = 0;
  return {
    show(progress) {
      blobs.set(progress.what, progress);
      // Some terminals do not say how large they are.
      const size = { rows: to.rows || DEFAULT_SIZE.rows, columns: to.columns || DEFAULT_SIZE.columns };
      const lines = drawBars([...blobs.values()], size);
      // It may have become smaller.
      to.write(redraw(lines, Math.min(drawn, size.rows - 1)));
      drawn = lines.length;
    },
    close() {
      blobs.clear();
      drawn = 0;
    },
  };
}
