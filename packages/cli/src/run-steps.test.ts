import { ExecutorError, type StepHandle, type StepResult } from "@wfe-containerd/executor";
import { beforeEach, expect, test, vi } from "vitest";
import { OutputError } from "./failure.js";
import { runSteps } from "./run-steps.js";
import type { StepPlace } from "./step-place.js";
import type { StopSignals } from "./stop-signals.js";

let told: string[];
beforeEach(() => {
  told = [];
  vi.spyOn(console, "error").mockImplementation((line: string) => void told.push(line));
});

/** What becomes of a step: its result, or why it has none. */
type Fate = Partial<StepResult> | { readonly error: Error; readonly hasStarted?: boolean };

function handleOf(name: string, fate: Fate): StepHandle {
  const isLost = "error" in fate;
  const result = isLost
    ? Promise.reject(fate.error)
    : Promise.resolve({ name, cause: "exit", exitCode: 0, oomKills: 0, outputs: {}, ...fate });
  const started = isLost && fate.hasStarted !== true ? Promise.reject(fate.error) : Promise.resolve();
  for (const each of [result, started]) each.catch(() => undefined);
  const handle = {
    result,
    started,
    closed: Promise.resolve({ unreleased: [] }),
    kill() {},
    async *[Symbol.asyncIterator]() {},
  };
  return handle as unknown as StepHandle;
}

async function run(fates: readonly Fate[], ended?: Promise<string>) {
  const names = ["one", "two", "three"];
  const place: StepPlace = {
    start: ({ name }) => handleOf(name, fates[names.indexOf(name)] ?? {}),
    ...(ended && { ended }),
    async [Symbol.asyncDispose]() {},
  };
  const idle = new AbortController().signal;
  const signals = { received: undefined, stop: idle, kill: idle } as unknown as StopSignals;
  const results: StepResult[] = [];
  const steps = names.map((name) => ({ name, image: "i" }));
  const code = await runSteps(place, steps, { data: {}, signals, output: "text" }, results);
  return { code, ran: results.map(({ name }) => name), told };
}

const HEADINGS = ["==> [1/3] one (i)", "==> [2/3] two (i)", "==> [3/3] three (i)"];

test("all steps that end well are run", async () => {
  expect(await run([])).toEqual({ code: 0, ran: ["one", "two", "three"], told: HEADINGS });
});

test("a step that was started and has no result is not told as one that could not be run", async () => {
  const error = new ExecutorError("the daemon went", { kind: "daemon-unavailable" });
  expect(await run([{}, { error, hasStarted: true }])).toEqual({
    code: 125,
    ran: ["one"],
    told: [
      ...HEADINGS.slice(0, 2),
      "wfe-containerd: the daemon went",
      "==> step two: was started, but has no result; not run: three",
    ],
  });
});

test("a container that ended between two steps is told with its reason", async () => {
  const error = new ExecutorError("the session has ended", {
    kind: "refused",
    issues: [{ field: "exec", message: "the session has ended" }],
  });
  expect(await run([{}, { error }], Promise.resolve("session s: somebody killed it"))).toEqual({
    code: 125,
    ran: ["one"],
    told: [
      ...HEADINGS.slice(0, 2),
      "wfe-containerd: the session has ended",
      "wfe-containerd: session s: somebody killed it",
      "==> step two: could not be run; not run: three",
    ],
  });
});

test("a refused step of a session that lives is not waited for", async () => {
  const error = new ExecutorError("no", { kind: "refused", issues: [{ field: "user", message: "no" }] });
  expect((await run([{ error }], new Promise(() => undefined))).told.at(-1)).toBe(
    "==> step one: could not be run; not run: two, three",
  );
});

test("output that cannot be written is an error of the command, not of a step", async () => {
  const error = new OutputError(Object.assign(new Error("gone"), { code: "EPIPE" }));
  await expect(run([{ error }])).rejects.toBe(error);
  expect(told).toEqual([HEADINGS[0]]);
});
