import { Command } from "commander";
import { expect, test } from "vitest";
import { fitHelp, HELP_LAYOUT } from "./help-layout.js";

function helpIn(columns: number): string[] {
  const command = new Command("program").configureHelp({ ...HELP_LAYOUT, helpWidth: columns });
  command.option("-a", "one two three four five six seven eight nine ten");
  command.option("--a-very-long-name <with-a-value-too>", "one two three four five six seven");
  return command.helpInformation().split("\n").slice(3, -1);
}

test("descriptions stand beside short names, and below long ones; in a narrow terminal below all", () => {
  expect(helpIn(60)).toEqual([
    "  -a                        one two three four five six",
    "                            seven eight nine ten",
    "  --a-very-long-name <with-a-value-too>",
    "                            one two three four five six",
    "                            seven",
    "  -h, --help                display help for command",
  ]);
  expect(helpIn(30)).toEqual([
    "  -a",
    "      one two three four five",
    "      six seven eight nine ten",
    "  --a-very-long-name <with-a-value-too>",
    "      one two three four five",
    "      six seven",
    "  -h, --help",
    "      display help for command",
  ]);
});

test("prose is broken between words, and an example stays whole without what is said of it", () => {
  const text = "One two three.\n\n  program --flag value      what it does\n  program --long-flag long-value";
  expect(fitHelp(text, 20)).toBe(
    "One two three.\n\n  program --flag value\n      what it does\n  program --long-flag long-value",
  );
  expect(fitHelp("One two three four five.", 10)).toBe("One two\nthree four\nfive.");
  // Lines of one paragraph are joined before, and only if they have to be broken.
  expect(fitHelp("One two three.\nFour.\n\nA.\nB.", 10)).toBe("One two\nthree.\nFour.\n\nA.\nB.");
  expect(fitHelp("One two three,\nfour five.", 10)).toBe("One two\nthree,\nfour five.");
  expect(fitHelp("Examples:\nfour five.", 10)).toBe("Examples:\nfour five.");
});
