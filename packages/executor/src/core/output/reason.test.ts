import { expect, test } from "vitest";
import { endReason, type SeenEnd } from "./reason.js";

test.each<[Partial<SeenEnd>, string]>([
  [{}, "exit code 0"],
  [{ exitCode: 3 }, "exit code 3"],
  [{ exitCode: 129 + 64, cause: "exit" }, "exit code 193"],
  [{ exitCode: 139, cause: "signal" }, "exit code 139 (SIGSEGV)"],
  [{ exitCode: 162, cause: "signal" }, "exit code 162"],
  [{ oomKills: 2 }, "the kernel killed 2 of its processes at its memory limit; exit code 0"],
  [
    { exitCode: 137, cause: "oom", oomKills: 1 },
    "the kernel killed 1 of its processes at its memory limit; exit code 137 (SIGKILL)",
  ],
  [
    { exitCode: 143, cause: "timeout" },
    "ran longer than its time-out, and was stopped; exit code 143 (SIGTERM)",
  ],
  [{ exitCode: null, cause: "runtime-lost" }, "its shim died; its exit code is lost"],
])("%j is told as %j", (seen, text) => {
  expect(endReason({ cause: "exit", exitCode: 0, oomKills: 0, ...seen })).toBe(text);
});
