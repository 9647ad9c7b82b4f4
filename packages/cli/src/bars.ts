import type { TransferProgress } from "@wfe-containerd/client";
import { printableLine } from "./printable.js";
import { formatBytes } from "./table.js";

/** How many characters fit on the terminal. */
export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

const BAR_WIDTH = 24;
/** States in the order in which they are shown when there are more blobs than rows: active ones first. */
const ORDER: readonly TransferProgress["state"][] = [
  "fetching",
  "pushing",
  "retrying",
  "unpacking",
  "waiting",
  "done",
  "mounted",
  "exists",
];

/**
 * Draws one line for each blob, in the order in which the blobs appeared.
 *
 * When the terminal has too few rows, the active blobs come first and the last line counts the others. A line
 * that has scrolled off the top cannot be drawn again.
 */
export function drawBars(blobs: readonly TransferProgress[], { rows, columns }: TerminalSize): string[] {
  // One row is left free: the cursor stands below the lines.
  const room = Math.max(rows - 1, 1);
  if (blobs.length <= room) return blobs.map((blob) => drawBar(blob).slice(0, columns));
  const byState = blobs.toSorted((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
  const shown = byState.slice(0, room - 1);
  const rest = byState.slice(room - 1);
  const counts = ORDER.map((state) => [state, rest.filter((blob) => blob.state === state).length] as const)
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${count} ${state}`);
  return [...shown.map(drawBar), `and ${counts.join(", ")}`].map((line) => line.slice(0, columns));
}

/** @param drawn how many lines were drawn the last time; the new lines are drawn over them. */
export function redraw(lines: readonly string[], drawn: number): string {
  const up = drawn > 0 ? `\x1b[${drawn}A` : "";
  const fewer = lines.length < drawn ? "\x1b[J" : "";
  return `${up}${lines.map((line) => `\x1b[2K${line}\n`).join("")}${fewer}`;
}

/** @param drawn how many lines were drawn the last time; they are removed. */
export function erase(drawn: number): string {
  return drawn > 0 ? `\x1b[${drawn}A\x1b[J` : "";
}

function drawBar({ what, state, offset, total, bytesPerSecond }: TransferProgress): string {
  const share = state === "done" || state === "exists" ? 1 : total > 0 ? Math.min(offset / total, 1) : 0;
  const filled = Math.round(share * BAR_WIDTH);
  const rate = bytesPerSecond > 0 ? `  ${formatBytes(bytesPerSecond)}/s` : "";
  return `${shorten(what)}  ${state.padEnd(9)} [${"=".repeat(filled)}${" ".repeat(BAR_WIDTH - filled)}] ${formatBytes(offset)}/${formatBytes(total)}${rate}`;
}

/** Shortens a digest to 12 hexadecimal digits, enough to tell blobs apart. */
export function shorten(digest: string): string {
  return printableLine(digest.replace(/^sha\d+:/, "").slice(0, 12));
}
