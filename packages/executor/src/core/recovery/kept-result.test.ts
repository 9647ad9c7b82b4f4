import fc from "fast-check";
import { expect, test } from "vitest";
import {
  fromKeptResult,
  type KeptResult,
  readResultLabels,
  toKeptResult,
  toResultLabels,
} from "./kept-result.js";

const KEPT: KeptResult = {
  run: {
    runId: "build-7",
    key: "compile",
    attempt: 1,
    fields: { image: "0123456789" },
    keepResultMs: 60_000,
  },
  name: "compile",
  exitCode: 3,
  cause: "exit",
  oomKills: 0,
  usage: { cpuTimeMs: 1.5, peakMemoryBytes: null },
  outputs: {},
  startedAtMs: 1_700_000_000_000,
  durationMs: 12,
  bytes: { stdout: 5, stderr: 0 },
};

test("a kept result is read from its labels as it was, each of which containerd takes", () => {
  const outputs = fc.dictionary(
    fc.string({ minLength: 1 }).filter((key) => key !== "__proto__"),
    fc.string({ unit: "binary", maxLength: 2_000 }),
    { maxKeys: 3 },
  );
  fc.assert(
    fc.property(outputs, (some) => {
      const kept = { ...KEPT, outputs: some };
      const labels = toResultLabels(kept) ?? {};
      for (const [key, value] of Object.entries(labels))
        expect(Buffer.byteLength(key) + Buffer.byteLength(value)).toBeLessThanOrEqual(4_096);
      expect(Object.keys(labels).length === 0 || readResultLabels(labels)).toEqual(
        Object.keys(labels).length === 0 || kept,
      );
    }),
  );
});

test("a result whose outputs are too long is not kept, and damaged labels are none", () => {
  expect(toResultLabels({ ...KEPT, outputs: { long: "x".repeat(70_000) } })).toBeUndefined();
  expect(readResultLabels({})).toBeUndefined();
  expect(readResultLabels({ "wfe-containerd/result.0": '{"name": 1}' })).toBeUndefined();
});

test("a kept result tells that its output is gone, and is kept again as it is", () => {
  const result = fromKeptResult("wfe-1", KEPT);
  expect(result).toMatchObject({
    ok: false,
    exitCode: 3,
    truncated: true,
    log: { complete: false, gaps: [{ stream: "stdout", offset: 0, bytes: 5, reason: "not-read" }] },
  });
  expect(toKeptResult(KEPT.run, result)).toEqual({ ...KEPT, bytes: { stdout: 0, stderr: 0 } });
});
