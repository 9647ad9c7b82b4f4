import { expect, test } from "vitest";
import type { StepPlan } from "../core/plan.js";
import { startError } from "./start-error.js";

const plan = { args: ["prog"], container: { image: "img" } } as unknown as StepPlan;

// As runc 1.0, 1.1 and crun say it.
test.each([
  [
    "command-not-found",
    'OCI runtime create failed: runc create failed: unable to start container process: exec: "prog": executable file not found in $PATH: unknown',
  ],
  [
    "command-not-found",
    'unable to start container process: error during container init: exec: "/no/prog": stat /no/prog: no such file or directory: unknown',
  ],
  [
    "command-not-executable",
    'unable to start container process: exec: "/etc/passwd": permission denied: unknown',
  ],
  [
    "command-not-executable",
    "unable to start container process: error during container init: exec /bin/prog: exec format error",
  ],
  ["command-not-executable", 'exec: "/bin": is a directory: unknown'],
  ["io", "failed to create shim task: stat /io/x/stdout: no such file or directory"],
  ["runtime", 'error mounting "/x" to rootfs at "/y": stat /x: no such file or directory: unknown'],
])("%s: %s", (kind, message) => {
  expect(startError(new Error(message), plan)).toMatchObject({ kind, cause: { message } });
});
