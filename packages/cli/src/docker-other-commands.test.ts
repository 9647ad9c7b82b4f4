import { expect, test } from "vitest";
import { COMMANDS } from "./commands.js";
import { otherCommandWord } from "./docker-other-commands.js";

test("a command of docker that is not here is told with what to do instead", () => {
  expect(otherCommandWord("error: unknown command 'start'\n(Did you mean stats?)\n")).toBe(
    "wfe-containerd: there is no command start; a step runs once; run it again\n",
  );
});

test.each(["error: unknown command 'pss'\n(Did you mean ps?)\n", "error: unknown option '--x'\n", "logs"])(
  "any other message stays: %j",
  (text) => {
    expect(otherCommandWord(text)).toBeUndefined();
  },
);

test("no command that exists is told to be missing", () => {
  for (const { name } of COMMANDS)
    expect(otherCommandWord(`error: unknown command '${name}'\n`), name).toBeUndefined();
});
