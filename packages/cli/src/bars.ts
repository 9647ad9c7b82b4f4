import type { TransferProgress } from "@wfe-containerd/client";
import { printableLine } from "./printable.js";
import { formatBytes } from "./table.js";

/** What a terminal shows at a time. */
export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

const BAR_WIDTH = 24;
/** What moves comes first where there is no room for all. */
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
 * A line a blob, in the order in which they came. Where the terminal is not high enough for that, those that move stand first, and the last line counts the
 * rest: what has left the screen at the top could never be drawn over.
 */
export function drawBars(blobs: readonly TransferProgress[], { rows, columns }: TerminalSize): string[] {
  // The cursor stands below them.
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

/** Draws lines over those that were drawn last, of which there are so many above the cursor. */
export function redraw(lines: readonly string[], drawn: number): string {
  const up = drawn > 0 ? `\x1b[${drawn}A` : "";
  const fewer = lines.length < drawn ? "\x1b[J" : "";
  return `${up}${lines.map((line) => `\x1b[2K${line}\n`).join("")}${fewer}`;
}

/** Takes away the lines that were drawn last. */
export function erase(drawn: number): string {
  return drawn > 0 ? `\x1b[${drawn}A\x1b[J` : "";
}

function drawBar({ what, state, offset, total, bytesPerSecond }: TransferProgress): string {
  const share = state === "done" || state === "exists" ? 1 : total > 0 ? Math.min(offset / total, 1) : 0;
  const filled = Math.round(share * BAR_WIDTH);
  const rate = bytesPerSecond > 0 ? `  ${formatBytes(bytesPerSecond)}/s` : "";
  return `${shorten(what)}  ${state.padEnd(9)} [${"=".repeat(filled)}${" ".repeat(BAR_WIDTH - filled)}] ${formatBytes(offset)}/${formatBytes(total)}${rate}`;
}

/** As much of a digest as tells blobs apart. */
export function shorten(digest: string): string {
  return printableLine(digest.replace(/^sha\d+:/, "").slice(0, 12));
}
