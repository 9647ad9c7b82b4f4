import type { StepResult } from "@wfe-containerd/executor";
import { expect, onTestFinished, test, vi } from "vitest";
import { reportEnd } from "./exit-code.js";

function reported(result: Partial<StepResult>, stopSignal?: string, wasKilled = false): string {
  const print = vi.spyOn(console, "error").mockImplementation(() => undefined);
  onTestFinished(() => print.mockRestore());
  reportEnd({ name: "a", oomKills: 0, exitCode: 137, cause: "exit", ...result } as StepResult, {
    stopSignal,
    wasKilled,
  });
  return print.mock.calls.flat().join("\n");
}

const KILLED = /ignored its stop signal, and was killed after the grace period; to end it at once, try init/;

test("a step that ignored its stop signal is told of, with what helps", () => {
  expect(reported({ cause: "aborted" })).toMatch(KILLED);
  expect(reported({ cause: "timeout" }, "SIGINT")).toMatch(KILLED);
});

test.each<[Partial<StepResult>, string | undefined, boolean]>([
  [{ cause: "aborted", exitCode: 143 }, undefined, false],
  [{ cause: "timeout", exitCode: 0 }, undefined, false],
  [{ cause: "aborted" }, undefined, true],
  [{ cause: "timeout" }, "SIGKILL", false],
  [{ cause: "timeout" }, "KILL", false],
  [{ cause: "timeout" }, "9", false],
  [{ cause: "exit" }, undefined, false],
  [{ cause: "oom" }, undefined, false],
])(
  "nothing of it is told for %j, stop signal %s, killed by a second signal: %s",
  (result, signal, killed) => {
    expect(reported(result, signal, killed)).not.toMatch(KILLED);
  },
);

test("of a command that exec ran, it is told that the command was stopped, not the step", () => {
  const print = vi.spyOn(console, "error").mockImplementation(() => undefined);
  onTestFinished(() => print.mockRestore());
  const result = { name: "a", oomKills: 0, exitCode: 143, cause: "aborted" } as StepResult;
  reportEnd(result, { wasKilled: false, what: "the command" });
  expect(print.mock.calls).toEqual([["wfe-containerd: the command: was stopped"]]);
});
