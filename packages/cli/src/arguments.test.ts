import fc from "fast-check";
import { expect, test } from "vitest";
import { commandArguments } from "./arguments.js";

test("arguments of the launcher lose their mark, whatever they hold", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary" })), (args) => {
      expect(commandArguments([":", ...args.map((each) => `:${each}`)])).toEqual(args);
    }),
  );
});

test.each([[[]], [["run", "--env-file", "x"]], [[":", "run"]], [[":run"]]])(
  "%j without the launcher is kept as typed",
  (args) => {
    expect(commandArguments(args)).toEqual(args);
  },
);
