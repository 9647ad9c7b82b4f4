import type { TransferProgress } from "@wfe-containerd/client";
import { formatBytes } from "./table.js";

export interface ProgressView {
  readonly show: (progress: TransferProgress) => void;
  /** Leaves what was drawn, and draws no more. */
  close(): void;
}

const BAR_WIDTH = 24;

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
      const lines = [...blobs.values()].map(drawBar);
      // Back to the first line, and over all of them.
      to.write(
        `${drawn > 0 ? `\x1b[${drawn}A` : ""}${lines.map((line) => `\x1b[2K${line.slice(0, to.columns)}\n`).join("")}`,
      );
      drawn = lines.length;
    },
    close() {
      blobs.clear();
      drawn = 0;
    },
  };
}

function drawBar({ what, state, offset, total, bytesPerSecond }: TransferProgress): string {
  const share = state === "done" || state === "exists" ? 1 : total > 0 ? Math.min(offset / total, 1) : 0;
  const filled = Math.round(share * BAR_WIDTH);
  const rate = bytesPerSecond > 0 ? `  ${formatBytes(bytesPerSecond)}/s` : "";
  return `${shorten(what)}  ${state.padEnd(9)} [${"=".repeat(filled)}${" ".repeat(BAR_WIDTH - filled)}] ${formatBytes(offset)}/${formatBytes(total)}${rate}`;
}

function shorten(digest: string): string {
  return digest.replace(/^sha\d+:/, "").slice(0, 12);
}
