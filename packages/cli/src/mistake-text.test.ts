import { expect, test } from "vitest";
import { mistakeText } from "./mistake-text.js";

test("a command of docker below one of ours is told by its whole name", () => {
  expect(mistakeText("error: unknown command 'create'\n", "volume")).toBe(
    "wfe-containerd: there is no command volume create; the first step that uses a volume makes it: run -v NAME:/path\n",
  );
  expect(mistakeText("error: unknown command 'build'\n", "volume")).toBe(
    "wfe-containerd: unknown command 'build'\n",
  );
});

test.each([
  ["error: unknown command 'runn'\n(Did you mean run?)\n", "unknown command 'runn'; did you mean run?\n"],
  [
    "error: unknown option '--x'\n(Did you mean one of --a, --b?)\n",
    "unknown option '--x'; did you mean --a, --b?\n",
  ],
  ["error: missing required argument 'image'\n", "missing required argument 'image'\n"],
  ["error: unknown command 'start'\n", "there is no command start; a step runs once; run it again\n"],
])("%j", (text, expected) => {
  expect(mistakeText(text)).toBe(`wfe-containerd: ${expected}`);
});
