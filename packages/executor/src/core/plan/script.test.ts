import fc from "fast-check";
import { expect, test } from "vitest";
import { parseStep } from "../step/parse-step.js";
import { composeScript, MAX_SCRIPT_BYTES, parseShell, SCRIPT_PATH } from "./script.js";

test.each([
  ["echo a", undefined, { command: ["/bin/sh", "-e", "-c", "echo a"] }],
  ["echo a\r\necho b\r\n", undefined, { command: ["/bin/sh", "-e", "-c", "echo a\necho b\n"] }],
  ["echo a", "sh", { command: ["/bin/sh", "-e", "-c", "echo a"] }],
  ["echo a", "bash", { command: ["bash", "-e", "-o", "pipefail", SCRIPT_PATH], script: "echo a" }],
  ["print(1)", "python3", { command: ["python3", SCRIPT_PATH], script: "print(1)" }],
  ["print(1)", "python3 -u {0} x", { command: ["python3", "-u", SCRIPT_PATH, "x"], script: "print(1)" }],
  ["p", ["/a b", "--file={0}"], { command: ["/a b", `--file=${SCRIPT_PATH}`], script: "p" }],
  ["\uFEFF#!/bin/sh\necho", undefined, { command: [SCRIPT_PATH], script: "#!/bin/sh\necho" }],
  ["#!/usr/bin/env bash\r\necho", undefined, { command: [SCRIPT_PATH], script: "#!/usr/bin/env bash\necho" }],
  ["#!/usr/bin/env bash\necho", "sh", { command: ["/bin/sh", "-e", "-c", "#!/usr/bin/env bash\necho"] }],
  [" #!/bin/bash", undefined, { command: ["/bin/sh", "-e", "-c", " #!/bin/bash"] }],
])("%j with the shell %j", (run, shell, expected) => {
  const argv = shell === undefined ? undefined : parseShell(shell);
  expect(shell === undefined || argv !== undefined).toBe(true);
  expect(composeScript(run, argv)).toEqual(expected);
});

test("a script that is longer than the kernel takes an argument is a file", () => {
  const longest = "x".repeat(128 * 1024 - 1);
  expect(composeScript(longest, undefined)).toEqual({ command: ["/bin/sh", "-e", "-c", longest] });
  expect(composeScript(`${longest}x`, undefined)).toEqual({
    command: ["/bin/sh", "-e", SCRIPT_PATH],
    script: `${longest}x`,
  });
  // The limit is in bytes, not characters.
  expect(composeScript("ü".repeat(70_000), undefined)).toHaveProperty("script");
  expect(() => composeScript("x".repeat(MAX_SCRIPT_BYTES + 1), undefined)).toThrow(
    "run: the script has 8388609 bytes; allowed: up to 8388608 bytes",
  );
});

test.each(["", "  ", 'sh -c "{0}"', "sh '{0}'", "a\\ b", "$SHELL", "`x`", "a\0b"])(
  "%j is not a shell",
  (shell) => {
    expect(parseShell(shell)).toBeUndefined();
  },
);

test.each([[[]], [[""]], [["a\0"]]])("%j is not one either", (shell: string[]) => {
  expect(parseShell(shell)).toBeUndefined();
});

test("a list is never taken apart, and the script's file is always named", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.string({ minLength: 1 }).filter((each) => !each.includes("\0")),
        { minLength: 1 },
      ),
      (list) => {
        const argv = parseShell(list) ?? [];
        expect(argv.slice(0, list.length)).toEqual(list);
        expect(argv.some((argument) => argument.includes("{0}"))).toBe(true);
      },
    ),
  );
});

test.each([
  [{ run: "x", shell: "" }, "shell: "],
  [{ run: "x", shell: 'sh -c "{0}"' }, "allowed: sh, bash; a program"],
  [{ command: ["x"], shell: "bash" }, "shell: is given without run"],
  [{ run: "x".repeat(MAX_SCRIPT_BYTES + 1) }, "run: the script has 8388609 bytes"],
  [{ run: "x", volumes: ["v:/.wfe-script"] }, "volumes[0].target"],
])("a step with it is refused: %#", (fields, message) => {
  expect(() => parseStep({ name: "a", image: "b", ...fields })).toThrow(message);
});
