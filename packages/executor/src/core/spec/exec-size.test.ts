import { expect, test } from "vitest";
import { checkExecSize } from "./exec-size.js";

const KIB = 1024;

test("what the kernel takes is taken", () => {
  expect(() => checkExecSize(["/bin/sh", "-c", "x".repeat(128 * KIB - 1)], ["A=b"])).not.toThrow();
  expect(() => checkExecSize(["a"], Array(30).fill(`A=${"x".repeat(60 * KIB)}`))).not.toThrow();
});

test.each([
  [
    "an argument that is too long",
    ["sh", "x".repeat(128 * KIB)],
    [],
    "command: an argument has 131072 bytes",
  ],
  ["bytes, not characters", ["é".repeat(64 * KIB)], [], "command: an argument has 131072 bytes"],
  ["a variable", ["sh"], [`LONG=${"x".repeat(128 * KIB)}`], "env: LONG has 131077 bytes"],
  [
    "too much together",
    ["sh"],
    Array(40).fill(`A=${"x".repeat(100 * KIB)}`),
    "command, env: the arguments and",
  ],
  ["too many", Array(300_000).fill(""), [], "command, env: the arguments and"],
])("%s is refused", (_, args, env, message) => {
  expect(() => checkExecSize(args, env)).toThrow(message);
});

test("a smaller stack leaves less room", () => {
  const env = Array(5).fill(`A=${"x".repeat(60 * KIB)}`);
  expect(() => checkExecSize(["sh"], env, 4 * KIB * KIB)).not.toThrow();
  expect(() => checkExecSize(["sh"], env, KIB * KIB)).toThrow("command, env");
});
