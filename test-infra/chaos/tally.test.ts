import { expect, test } from "vitest";
import type { Fault, Strike } from "./fault/fault.js";
import type { Marks } from "./marks.js";
import { hashOf, numberedSteps } from "./numbered-step.js";
import { createTally } from "./tally.js";
import type { WorkerLine } from "./worker.js";

const STEPS = numberedSteps(4);
/** Its exit code is 1, and it prints 7 lines. */
const STEP = STEPS[1] as (typeof STEPS)[number];
const { name } = STEP;
const BYTES = STEP.stdout.byteLength;
const RAN: Marks = { runs: 1, ranAtMs: 1, endedAtMs: 2 };
const NEVER: Marks = { runs: 0, ranAtMs: undefined, endedAtMs: undefined };

type End = Partial<Extract<WorkerLine, { type: "result" }>> | { readonly error: string };

/** Judges one step. */
async function judge(
  end: End,
  { marks = RAN, bytes = BYTES, strikes = [] as Strike[], text = STEP.stdout } = {},
): Promise<object> {
  const tally = createTally(STEPS);
  tally.send(name);
  if ("error" in end) tally.take({ type: "error", name, id: "c1", kind: end.error, message: "it failed" });
  else {
    tally.take({
      type: "result",
      name,
      id: "c1",
      exitCode: 1,
      cause: "exit",
      isComplete: true,
      stderr: "",
      ...end,
    });
    tally.take({ type: "log", name, bytes, sha256: hashOf({ ...STEP, stdout: text }, bytes) });
  }
  await tally.judge(strikes, async () => marks);
  const found = Object.entries(tally.faults).filter(([, names]) => names.length > 0);
  return { faults: found.map(([kind]) => kind), explained: Object.keys(tally.explained) };
}

/** A fault that makes a lost runtime of a step, or an error of the kind `io`. */
const FAULT: Fault = {
  name: "fault",
  parts: [],
  phases: [],
  lastsMs: 0,
  strike: async () => undefined,
  explains: ({ cause }) => cause === "runtime-lost" || cause === "io",
};
const NOW = { fault: FAULT, phase: "running", fromMs: 0, untilMs: Number.MAX_VALUE, ids: undefined } as const;
const LOST = { exitCode: null, cause: "runtime-lost", isComplete: "unknown" } as const;

test.each<[string, Parameters<typeof judge>, string[]]>([
  ["a step's own result and log", [{}], []],
  ["another exit code", [{ exitCode: 2 }], ["wrongCodes"]],
  [
    "another exit code, whatever struck",
    [{ exitCode: 137, cause: "signal" }, { strikes: [NOW] }],
    ["wrongCodes"],
  ],
  ["a lost runtime", [LOST], ["wrongCodes"]],
  ["an error", [{ error: "io" }, { marks: NEVER }], ["errors"]],
  ["a missing byte", [{}, { bytes: BYTES - 1 }], ["lostBytes"]],
  ["a byte too many", [{}, { bytes: BYTES + 1 }], ["doubledBytes"]],
  ["another byte", [{}, { text: Buffer.alloc(BYTES) }], ["otherBytes"]],
  ["a step that ran twice", [{}, { marks: { ...RAN, runs: 2 } }], ["ranTwice"]],
  ["a result of a step that never ran", [{}, { marks: NEVER }], ["neverRan"]],
  ["an error of a step that ran", [{ error: "io" }, { strikes: [NOW] }], ["ranAnyway"]],
])("tells of %s", async (_, input, faults) => {
  expect(await judge(...input)).toMatchObject({ faults });
});

test.each<[string, Strike, object]>([
  ["that struck it", { ...NOW, ids: new Set(["c1"]) }, { faults: [], explained: ["fault: runtime-lost"] }],
  ["that struck all", NOW, { faults: [], explained: ["fault: runtime-lost"] }],
  [
    "that struck another",
    { ...NOW, ids: new Set(["c2"]) },
    { faults: ["wrongCodes", "lostBytes"], explained: [] },
  ],
  ["that was over before", { ...NOW, untilMs: 1 }, { faults: ["wrongCodes", "lostBytes"], explained: [] }],
  [
    "that came later",
    { ...NOW, fromMs: Number.MAX_VALUE },
    { faults: ["wrongCodes", "lostBytes"], explained: [] },
  ],
])("a lost runtime may come from a fault %s", async (_, strike, told) => {
  const marks = { ...RAN, endedAtMs: undefined };
  expect(await judge(LOST, { marks, bytes: 3, strikes: [strike] })).toEqual(told);
});

test("a log that is called complete is so, whatever struck", async () => {
  const input = { bytes: 3, strikes: [NOW] };
  expect(await judge({ ...LOST, isComplete: true }, input)).toMatchObject({ faults: ["lostBytes"] });
});
