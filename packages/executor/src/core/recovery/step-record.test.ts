import fc from "fast-check";
import { expect, test } from "vitest";
import { later, type Moment, msUntil } from "./deadline.js";
import { differingFields, readRecord, type StepRecord, toRecordValue } from "./step-record.js";

const word = fc.string({ maxLength: 40 });
const count = fc.nat();
const cause = fc.constantFrom("exit", "signal", "timeout", "aborted", "oom", "unknown");
const boot = fc.record({ id: word, uptimeMs: count });
const moment: fc.Arbitrary<Moment> = fc.record({ boot, daemonMs: count }, { requiredKeys: ["daemonMs"] });

const records: fc.Arbitrary<StepRecord> = fc.record(
  {
    state: fc.constantFrom("preparing", "ready", "stopping", "exited"),
    name: word,
    image: fc.record({ name: word, digest: word }),
    owner: word,
    claim: count,
    run: fc.record(
      {
        runId: word,
        key: word,
        attempt: fc.nat(),
        fields: fc.dictionary(
          word.filter((key) => key !== "__proto__"),
          word,
        ),
        keepResultMs: count,
      },
      { requiredKeys: ["runId", "key", "attempt", "fields"] },
    ),
    output: fc.record({
      directory: word,
      mode: fc.constantFrom("file", "fifo"),
      seal: fc.uint8Array({ minLength: 1 }).map((bytes) => Buffer.from(bytes).toString("hex")),
    }),
    secrets: fc.array(fc.record({ name: word, mask: fc.boolean() })),
    stop: fc.record({ signal: word, graceMs: count }),
    log: fc.record({ maxBytes: count, policy: fc.constantFrom("fail", "truncate", "drop-oldest") }),
    programField: word,
    startedAtMs: count,
    deadline: moment as never,
    stopCause: cause,
    exit: fc.record({
      exitCode: fc.option(fc.integer({ min: 0, max: 255 })),
      cause,
      oomKills: count,
      usage: fc.record({ cpuTimeMs: fc.option(count), peakMemoryBytes: fc.option(count) }),
      durationMs: count,
    }),
  },
  {
    requiredKeys: [
      "state",
      "name",
      "image",
      "owner",
      "claim",
      "output",
      "secrets",
      "stop",
      "log",
      "programField",
    ],
  },
) as fc.Arbitrary<StepRecord>;

test("a record is read as it was written", () => {
  fc.assert(
    fc.property(records, (record) => {
      expect(readRecord(toRecordValue(record))).toEqual({ kind: "record", record });
    }),
  );
});

test("a record that is not ours, newer or damaged is refused in words, whatever its bytes are", () => {
  fc.assert(
    fc.property(records, fc.string(), fc.uint8Array(), (record, typeUrl, bytes) => {
      const good = toRecordValue(record);
      expect(readRecord(undefined)).toEqual({ kind: "none" });
      expect(readRecord({ ...good, typeUrl: `x${typeUrl}` })).toMatchObject({ kind: "unreadable" });
      expect(readRecord({ ...good, value: bytes })).toMatchObject({ kind: "unreadable" });
    }),
  );
  expect(readRecord({ typeUrl: "wfe-containerd.step/v2", value: new Uint8Array() })).toEqual({
    kind: "unreadable",
    problem: `the step's record has version "2", and this version of the package reads 1; update it`,
  });
});

test("the fields that differ are named, also those that only one step has", () => {
  expect(differingFields({ a: "1", b: "2", c: "3" }, { a: "1", b: "4", d: "5" })).toEqual(["b", "c", "d"]);
});

test("a deadline does not move with the clock as long as the machine runs", () => {
  const start: Moment = { boot: { id: "one", uptimeMs: 1_000 }, daemonMs: 50_000 };
  const deadline = later(start, 2_000);
  expect(msUntil(deadline, { boot: { id: "one", uptimeMs: 1_500 }, daemonMs: 3_600_000 })).toBe(1_500);
  expect(msUntil(deadline, { boot: { id: "two", uptimeMs: 1_500 }, daemonMs: 53_000 })).toBe(-1_000);
  expect(msUntil(deadline, { daemonMs: 51_000 })).toBe(1_000);
});
