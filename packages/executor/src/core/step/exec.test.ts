import { expect, test } from "vitest";
import { parseExec } from "./exec.js";
import { STEP_FIELDS } from "./schema.js";

const HOST = { name: "host", image: "busybox" };

test("a process has the fields of a step, in both spellings", () => {
  expect(parseExec({ command: ["ls"], workingDir: "/a", timeout: "5s" }, HOST, false)).toMatchObject({
    name: "host",
    command: ["ls"],
    workingDir: "/a",
    timeoutMs: 5_000,
  });
  expect(parseExec({ run: "ls", working_dir: "/a", name: "list" }, HOST, false)).toMatchObject({
    name: "list",
    workingDir: "/a",
  });
});

test("each other field of a step is refused, because the container is made already", () => {
  const own = ["name", "run", "shell", "command", "args", "env", "working_dir", "user", "group_add"];
  const times = ["timeout", "timeout_ms", "stop_signal", "stop_grace", "stop_grace_ms"];
  const all = [...own, ...times, "max_log_bytes", "on_log_limit"];
  for (const field of Object.keys(STEP_FIELDS).filter((name) => !all.includes(name)))
    expect(() => parseExec({ command: ["ls"], [field]: "x" }, HOST, false), field).toThrow(
      `${field}: belongs to the container, which is made already; allowed: name, run, `,
    );
});

test("a step of a session can have secrets, in a directory of its own", () => {
  const { secrets } = parseExec({ run: "ls", secrets: ["npm", { name: "key", mask: false }] }, HOST, true);
  expect(secrets).toMatchObject([
    { name: "npm", mask: true },
    { name: "key", mask: false },
  ]);
  expect(() =>
    parseExec({ run: "ls", secrets: ["npm", { name: "key", target: "/keys/key" }] }, HOST, true),
  ).toThrow(
    "secrets[1].target: cannot be chosen in a session; allowed: no target: the file is $WFE_SECRETS_DIR/NAME",
  );
});
