import type { TransferProgress } from "@wfe-containerd/client";
import { describe, expect, test } from "vitest";
import { Screen } from "../test/screen.js";
import { drawBars, redraw } from "./bars.js";

type State = TransferProgress["state"];

const SIZE = { rows: 24, columns: 80 };

function blob(at: number, state: State, offset = 0): TransferProgress {
  return { what: `sha256:${String(at).padStart(64, "0")}`, state, offset, total: 2048, bytesPerSecond: 0 };
}

const blobs = (count: number, state: State): TransferProgress[] =>
  Array.from({ length: count }, (_, at) => ({ ...blob(at, state), what: `sha256:blob-${at}-` }));
const first = (lines: readonly string[]): string[] => lines.map((line) => line.split(" ", 1)[0] ?? "");

describe("drawBars", () => {
  test("draws a line a blob", () => {
    const half = { ...blob(1, "fetching", 1024), bytesPerSecond: 512 };
    expect(drawBars([half, blob(2, "exists"), blob(3, "waiting")], SIZE)).toEqual([
      "000000000000  fetching  [============            ] 1.0 KiB/2.0 KiB  512 B/s",
      "000000000000  exists    [========================] 0 B/2.0 KiB",
      "000000000000  waiting   [                        ] 0 B/2.0 KiB",
    ]);
  });

  test("keeps within the terminal: what moves first, and the rest counted", () => {
    expect(drawBars(blobs(23, "done"), SIZE)).toHaveLength(23);
    const some = [...blobs(9, "done"), blob(0, "waiting"), blob(0, "unpacking"), blob(0, "fetching")];
    const lines = drawBars(some, { rows: 6, columns: 80 });
    const states = lines.map((line) => /fetching|unpacking|waiting|\d* ?done/.exec(line)?.[0].trim());
    expect(states).toEqual(["fetching", "unpacking", "waiting", "done", "8 done"]);
    expect(drawBars(some, { rows: 6, columns: 5 }).every((line) => line.length <= 5)).toBe(true);
    for (const rows of [0, 1, 2]) expect(drawBars(some, { rows, columns: 80 })).toHaveLength(1);
  });
});

describe("bars on a screen", () => {
  test("are drawn over each other, however many there are, and nothing of them leaves it", () => {
    const screen = new Screen(SIZE);
    screen.write("$ pull\r\n");
    const known = new Map<string, TransferProgress>();
    let drawn = 0;
    const show = (progress: TransferProgress): void => {
      known.set(progress.what, progress);
      const lines = drawBars([...known.values()], SIZE);
      screen.write(redraw(lines, drawn).replaceAll("\n", "\r\n"));
      drawn = lines.length;
    };
    for (const state of ["waiting", "fetching", "unpacking", "done"] as const)
      for (const each of blobs(30, state)) show(each);
    expect(screen.scrolledOff).toEqual(["$ pull"]);
    const names = first(screen.lines);
    expect(new Set(names).size).toBe(23);
    expect(screen.lines.at(-1)).toBe("and 8 done");
  });

  test("take with them the lines that are no longer needed", () => {
    const screen = new Screen(SIZE);
    screen.write(redraw(["one", "two", "three"], 0).replaceAll("\n", "\r\n"));
    screen.write(redraw(["four"], 3).replaceAll("\n", "\r\n"));
    expect(screen.lines).toEqual(["four"]);
  });
});
