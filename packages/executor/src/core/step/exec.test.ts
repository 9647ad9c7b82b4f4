import { expect, test } from "vitest";
import { parseExec } from "./exec.js";
import { STEP_FIELDS } from "./schema.js";

const HOST = { name: "host", image: "busybox" };

test("a process has the fields of a step, in both spellings", () => {
  expect(parseExec({ command: ["ls"], workingDir: "/a", timeout: "5s" }, HOST)).toMatchObject({
    name: "host",
    command: ["ls"],
    workingDir: "/a",
    timeoutMs: 5_000,
  });
  expect(parseExec({ run: "ls", working_dir: "/a", name: "list" }, HOST)).toMatchObject({
    name: "list",
    workingDir: "/a",
  });
});

test("each other field of a step is refused, because the container is made already", () => {
  const own = ["name", "run", "shell", "command", "args", "env", "working_dir", "user", "group_add"];
  const times = ["timeout", "timeout_ms", "stop_signal", "stop_grace", "stop_grace_ms"];
  const all = [...own, ...times, "max_log_bytes", "on_log_limit"];
  for (const field of Object.keys(STEP_FIELDS).filter((name) => !all.includes(name)))
    expect(() => parseExec({ command: ["ls"], [field]: "x" }, HOST), field).toThrow(
      `${field}: belongs to the container, which is made already; allowed: name, run, `,
    );
});
