import fc from "fast-check";
import { expect, test } from "vitest";
import type { LogEntry, LogLine } from "./log-entry.js";
import { toLines } from "./log-lines.js";

async function linesOf(entries: readonly LogEntry[], maxLineBytes?: number): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  async function* all(): AsyncGenerator<LogEntry> {
    yield* entries;
  }
  for await (const line of toLines(all(), maxLineBytes)) lines.push(line);
  return lines;
}

function chunk(stream: "stdout" | "stderr", offset: number, text: string, timeMs = 0): LogEntry {
  return { type: "output", stream, offset, time: new Date(timeMs), data: new TextEncoder().encode(text) };
}

test("lines are those of the text, wherever the chunks are cut, also inside a character", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: "grapheme" }).map((line) => line.replaceAll(/[\r\n]/g, "."))),
      fc.array(fc.nat(), { maxLength: 9 }),
      async (lines, places) => {
        const bytes = new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""));
        const ends = [...places.map((place) => place % (bytes.byteLength + 1)), bytes.byteLength].toSorted(
          (a, b) => a - b,
        );
        const entries = ends.map((end, at): LogEntry => {
          const offset = ends[at - 1] ?? 0;
          return {
            type: "output",
            stream: "stdout",
            offset,
            time: new Date(),
            data: bytes.subarray(offset, end),
          };
        });
        const found = await linesOf(entries);
        expect(found.map(({ text }) => text)).toEqual(lines);
        const offsets = lines.map((_, at) => Buffer.byteLength(lines.slice(0, at).join("")) + at);
        expect(found.map(({ offset }) => offset)).toEqual(offsets);
      },
    ),
  );
});

test("two streams do not mix, a line has the time of its beginning, and the last line needs no end", async () => {
  const entries = [
    chunk("stdout", 0, "on", 1),
    chunk("stderr", 0, "error\n", 2),
    chunk("stdout", 2, "e\r\ntwo", 3),
  ];
  expect(await linesOf(entries)).toEqual([
    { stream: "stderr", offset: 0, time: new Date(2), text: "error", omittedBytes: 0 },
    { stream: "stdout", offset: 0, time: new Date(1), text: "one", omittedBytes: 0 },
    { stream: "stdout", offset: 5, time: new Date(3), text: "two", omittedBytes: 0 },
  ]);
});

test("a line that is too long is cut with a mark, and the next one is whole", async () => {
  const [long, next] = await linesOf(
    [chunk("stdout", 0, `${"x".repeat(50)}`), chunk("stdout", 50, "yy\nnext\n")],
    10,
  );
  expect(long).toMatchObject({ text: "xxxxxxxxxx [42 more bytes in this line]", omittedBytes: 42 });
  expect(next).toMatchObject({ text: "next", offset: 53, omittedBytes: 0 });
});

test("missing output is a line of its own, and ends the line before", async () => {
  const gap: LogEntry = { type: "gap", stream: "stdout", offset: 4, bytes: 100 };
  const lines = await linesOf([chunk("stdout", 0, "half"), gap, chunk("stdout", 104, "rest\n")]);
  expect(lines.map(({ text }) => text)).toEqual(["half", "[100 bytes are missing here]", "rest"]);
});
