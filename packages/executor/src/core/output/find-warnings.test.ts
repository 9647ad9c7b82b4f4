import { expect, test } from "vitest";
import type { StepPlan } from "../plan/plan.js";
import { findWarnings, type UnwritableVolume } from "./find-warnings.js";

const plan = {
  args: ["/bin/prog", "x"],
  programField: "command",
  container: { spec: { process: { user: { uid: 65534, gid: 65534 } } } },
} as unknown as StepPlan;
const volume: UnwritableVolume = {
  field: "volumes",
  source: "/srv/a",
  target: "/w",
  owner: "1000:100",
  mode: "755",
};
const failed = {
  exitCode: 1,
  cause: "exit",
  stdout: "",
  stderr: "touch: /w/x: Permission denied\n",
} as const;

test("a step that fails on a volume of somebody else's is told whose it is", () => {
  expect(findWarnings(plan, failed, [volume])).toEqual([
    {
      field: "volumes",
      message:
        'volumes: the step runs as user 65534:65534, which may not write to /w: /srv/a has owner 1000:100 and mode 755; run the step as the owner (user: "1000:100", or --user 1000:100), or change the owner or mode of /srv/a',
    },
  ]);
  expect(findWarnings(plan, { ...failed, stdout: "Error: EACCES: x", stderr: "" }, [volume])).toHaveLength(1);
});

test.each([
  ["it did not fail", { exitCode: 0 }],
  ["it was stopped", { cause: "timeout" as const }],
  ["it failed for another reason", { stderr: "no such file\n" }],
])("it is not where %s", (_, change) => {
  expect(findWarnings(plan, { ...failed, ...change }, [volume])).toEqual([]);
});

test.each([
  ["exec /bin/prog: no such file or directory\n", "interpreter of the program's #! line"],
  ["exec /bin/prog: exec format error", "not a program for this architecture"],
  ["exec /bin/prog: permission denied\n", "interpreter of the program's #! line is not a program"],
  ["exec /bin/prog: operation not permitted\n", "seccomp"],
])("%j tells why the program was not started", (stderr, expected) => {
  expect(findWarnings(plan, { ...failed, stderr }, [])).toEqual([
    {
      field: "command",
      message: expect.stringMatching(`^command: /bin/prog could not be started: .*${expected}`),
    },
  ]);
});

test.each([
  "exec /bin/other: exec format error\n",
  "before\nexec /bin/prog: exec format error\n",
  "exec /bin/prog: exec format error\nafter\n",
  "exec /bin/prog: constructor\n",
])("%j tells nothing of it", (stderr) => {
  expect(findWarnings(plan, { ...failed, stderr }, [])).toEqual([]);
});
