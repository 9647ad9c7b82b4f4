import fc from "fast-check";
import { expect, test } from "vitest";
import type { OutputStore, OutputStream } from "../io/io.js";
import { createLog, type Log } from "./log.js";
import type { LogEntry, LogReadOptions } from "./log-entry.js";
import type { LogLimit } from "./log-limit.js";

/** Stores both streams in memory, and fills what was freed with zeros, as a hole in a file. */
function createTestStore(): OutputStore & {
  append(stream: OutputStream, text: string): void;
  freed: number;
} {
  const files = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  return {
    freed: 0,
    append(stream, text) {
      files[stream] = Buffer.concat([files[stream], Buffer.from(text)]);
    },
    read: async (stream, position, buffer) => files[stream].copy(buffer, 0, position),
    async free(stream, from, to) {
      this.freed += to - from;
      files[stream].fill(0, from, to);
    },
    storedBytes: async () => 0,
    close: async () => undefined,
  };
}

function openLog(limit: LogLimit) {
  const log = createLog();
  const store = createTestStore();
  log.open({ store, createMasker: undefined, limit });
  return {
    log,
    store,
    append(stream: OutputStream, text: string) {
      store.append(stream, text);
      return log.append(stream, text.length, text.length, true);
    },
  };
}

const UNLIMITED: LogLimit = { maxBytes: 1e9, policy: "drop-oldest" };

async function read(log: Log, options?: LogReadOptions): Promise<LogEntry[]> {
  const entries: LogEntry[] = [];
  for await (const entry of log.read(options)) entries.push(entry);
  return entries;
}

function textOf(entries: readonly LogEntry[], stream: OutputStream): string {
  return entries
    .flatMap((entry) => (entry.type === "output" && entry.stream === stream ? [String(entry.data)] : []))
    .map((text) => Buffer.from(text.split(",").map(Number)).toString())
    .join("");
}

const chunks = fc.array(
  fc.record({ stream: fc.constantFrom("stdout", "stderr"), text: fc.string({ minLength: 1, maxLength: 9 }) }),
  { maxLength: 40 },
);

test("a reader gets what was added, in order, from any offset, whenever it begins", async () => {
  await fc.assert(
    fc.asyncProperty(chunks, fc.nat(), fc.nat(40), async (added, place, lateAt) => {
      const { log, append } = openLog(UNLIMITED);
      const whole = { stdout: "", stderr: "" };
      for (const { stream, text } of added) whole[stream] += text;
      const from = { stdout: place % (whole.stdout.length + 1), stderr: 0 };
      const early = read(log, { from });
      let late: Promise<LogEntry[]> | undefined;
      for (const [at, { stream, text }] of added.entries()) {
        append(stream, text);
        if (at === lateAt) late = read(log, { from });
        if (at % 7 === 0) await Promise.resolve();
      }
      log.end();
      for (const entries of [await early, await (late ?? read(log, { from }))]) {
        expect(textOf(entries, "stdout")).toBe(whole.stdout.slice(from.stdout));
        expect(textOf(entries, "stderr")).toBe(whole.stderr);
        let next = from.stdout;
        for (const entry of entries) {
          if (entry.type !== "output" || entry.stream !== "stdout") continue;
          expect(entry.offset).toBe(next);
          next += entry.data.byteLength;
        }
      }
    }),
  );
});

test("drop-oldest: about three quarters of the limit are kept at least, in however large pieces it comes", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom("stdout", "stderr"), fc.integer({ min: 1, max: 300 })), {
        maxLength: 20,
      }),
      async (added) => {
        const { log, append } = openLog({ maxBytes: 100, policy: "drop-oldest" });
        const whole = { stdout: "", stderr: "" };
        for (const [stream, length] of added) {
          const text = Array.from({ length }, (_, at) => String.fromCharCode(97 + (at % 26))).join("");
          whole[stream] += text;
          append(stream, text);
        }
        log.end();
        const entries = await read(log);
        const kept = { stdout: textOf(entries, "stdout"), stderr: textOf(entries, "stderr") };
        const bytes = whole.stdout.length + whole.stderr.length;
        expect(kept.stdout.length + kept.stderr.length).toBeLessThanOrEqual(100);
        expect(kept.stdout.length + kept.stderr.length).toBeGreaterThanOrEqual(Math.min(bytes, 73));
        for (const stream of ["stdout", "stderr"] as const)
          expect(whole[stream].endsWith(kept[stream])).toBe(true);
      },
    ),
  );
});

test("drop-oldest: the newest is kept, a reader that is late is told what is missing, and space is freed", async () => {
  const { log, store, append } = openLog({ maxBytes: 100, policy: "drop-oldest" });
  const slow = log.read();
  append("stdout", "first");
  expect((await slow.next()).value).toMatchObject({ type: "output", offset: 0 });
  let whole = "first";
  for (let at = 0; at < 50; at++) {
    const text = String(at).padStart(10, "-");
    whole += text;
    append("stdout", text);
  }
  log.end();
  const rest: LogEntry[] = [];
  for await (const entry of slow) rest.push(entry);
  const [gap] = rest;
  if (gap?.type !== "gap") throw new Error("the reader was not told");
  expect(gap.offset).toBe(5);
  const dropped = gap.offset + gap.bytes;
  expect(whole.length - dropped).toBeLessThanOrEqual(100);
  expect(whole.length - dropped).toBeGreaterThanOrEqual(60);
  expect(textOf(rest, "stdout")).toBe(whole.slice(dropped));
  expect(store.freed).toBeGreaterThan(300);
  expect(log.gaps()).toEqual([{ stream: "stdout", offset: 0, bytes: dropped, reason: "log-limit" }]);
  expect(await read(log, { from: { stdout: dropped } })).toMatchObject([{ type: "output", offset: dropped }]);
});

test("truncate: exactly the first bytes are kept, and a reader is told at the end how many are not", async () => {
  const { log, append } = openLog({ maxBytes: 10, policy: "truncate" });
  expect(append("stdout", "123456")).toBe(6);
  expect(append("stderr", "abcdef")).toBe(4);
  expect(append("stdout", "789")).toBe(0);
  log.skip("stdout", 1000);
  log.end();
  const entries = await read(log);
  expect(textOf(entries, "stdout")).toBe("123456");
  expect(textOf(entries, "stderr")).toBe("abcd");
  const gaps = [
    { stream: "stdout", offset: 6, bytes: 1003 },
    { stream: "stderr", offset: 4, bytes: 2 },
  ];
  expect(entries.filter(({ type }) => type === "gap")).toEqual(gaps.map((gap) => ({ type: "gap", ...gap })));
  expect(log.gaps()).toEqual(gaps.map((gap) => ({ ...gap, reason: "log-limit" })));
});

test("what was not read is a gap for readers, and they go on behind it", async () => {
  const { log, store, append } = openLog(UNLIMITED);
  append("stdout", "before");
  store.append("stdout", "never read");
  log.skip("stdout", 10);
  append("stdout", "after");
  log.end();
  const entries = await read(log);
  expect(entries[0]).toEqual({ type: "gap", stream: "stdout", offset: 0, bytes: 16 });
  expect(textOf(entries, "stdout")).toBe("after");
});

test("many chunks take little memory: they are fewer marks, and nothing of the output is lost", async () => {
  const { log, append } = openLog(UNLIMITED);
  for (let at = 0; at < 30_000; at++) append(at % 2 === 0 ? "stdout" : "stderr", "x");
  log.end();
  const entries = await read(log);
  expect(entries.length).toBeLessThan(20_000);
  expect(textOf(entries, "stdout")).toHaveLength(15_000);
  expect(textOf(entries, "stderr")).toHaveLength(15_000);
});

test("without following, a reader ends at what is there; after the log is closed it is refused", async () => {
  const { log, append } = openLog(UNLIMITED);
  append("stdout", "now");
  expect(textOf(await read(log, { follow: false }), "stdout")).toBe("now");
  const waiting = read(log);
  waiting.catch(() => undefined);
  await log.close();
  await expect(waiting).rejects.toMatchObject({ kind: "invalid-argument" });
  await expect(read(log)).rejects.toMatchObject({ kind: "invalid-argument" });
});

test("a reader that begins before the step's output is opened waits, and ends with the step", async () => {
  const log = createLog();
  const reading = read(log);
  expect(await read(log, { follow: false })).toEqual([]);
  log.end();
  expect(await reading).toEqual([]);
  const signal = AbortSignal.abort(new Error("enough"));
  await expect(read(log, { signal })).rejects.toThrow("enough");
});

test("options that are no offsets, or do not exist, are refused", async () => {
  const { log } = openLog(UNLIMITED);
  for (const options of [
    { from: { stdout: -1 } },
    { from: { stderr: 0.5 } },
    { from: { stdout: Number.NaN } },
    { form: {} },
  ])
    await expect(read(log, options)).rejects.toMatchObject({ kind: "invalid-argument" });
  const lines = log.lines({ maxLineBytes: 0 });
  await expect(lines.next()).rejects.toMatchObject({ kind: "invalid-argument" });
});
