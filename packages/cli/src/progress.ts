import type { TransferProgress } from "@wfe-containerd/client";
import { drawBars, erase, redraw, shorten, type TerminalSize } from "./bars.js";
import { printableLine } from "./printable.js";
import { formatBytes } from "./table.js";

export interface ProgressView {
  readonly show: (progress: TransferProgress) => void;
  /** Stops drawing. Lines that were drawn stay. */
  close(): void;
}

const DEFAULT_SIZE: TerminalSize = { rows: 24, columns: 80 };

/**
 * Creates a view of an image's transfer.
 *
 * @param how `auto`: moving bars on a terminal, otherwise as `plain`. `plain`: a line for each change of
 *   state. `json`: a JSON object per line. `retries`: a line for each repeated request to a registry, which
 *   explains the wait. `none`: nothing.
 */
export function createProgressView(
  how: "auto" | "plain" | "json" | "retries" | "none",
  to: NodeJS.WriteStream,
): ProgressView {
  if (how === "none") return { show: () => undefined, close: () => undefined };
  if (how === "retries") return createRetryLines(to);
  if (how === "json")
    return { show: (progress) => void to.write(`${JSON.stringify(progress)}\n`), close: () => undefined };
  return how === "auto" && to.isTTY ? createBars(to) : createLines(to);
}

/** Prints a line for each repeated request to a registry. */
function createRetryLines(to: NodeJS.WriteStream): ProgressView {
  return {
    show: (progress) => {
      if (progress.state === "retrying") to.write(retryLine(progress));
    },
    close: () => undefined,
  };
}

/** `localhost:5000/app:1: asking again in 2.5 s: … answers 503` */
function retryLine({ what, retry }: TransferProgress): string {
  const name = /^sha\d+:/.test(what) ? shorten(what) : printableLine(what);
  const seconds = ((retry?.delayMs ?? 0) / 1000).toFixed(1);
  return `${name}: asking again in ${seconds} s: ${printableLine(retry?.reason ?? "")}\n`;
}

/** Prints a line for each change of state, but none for progress within a state: this output goes to logs. */
function createLines(to: NodeJS.WriteStream): ProgressView {
  const states = new Map<string, string>();
  return {
    show(progress) {
      const { what, state, total } = progress;
      if (state === "retrying") to.write(retryLine(progress));
      if (states.get(what) === state) return;
      states.set(what, state);
      if (state === "retrying") return;
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
      if (progress.state === "retrying") {
        // This line stays on the screen. The bars are drawn again below it.
        to.write(`${erase(drawn)}${retryLine(progress)}`);
        drawn = 0;
      } else {
        blobs.set(progress.what, progress);
      }
      // Some terminals do not report their size.
      const size = { rows: to.rows || DEFAULT_SIZE.rows, columns: to.columns || DEFAULT_SIZE.columns };
      const lines = drawBars([...blobs.values()], size);
      // The terminal may have become smaller since the last drawing.
      to.write(redraw(lines, Math.min(drawn, size.rows - 1)));
      drawn = lines.length;
    },
    close() {
      blobs.clear();
      drawn = 0;
    },
  };
}
