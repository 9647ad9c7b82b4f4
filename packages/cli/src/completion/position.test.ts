import { Command } from "commander";
import { expect, test } from "vitest";
import { expectedAt } from "./position.js";
import { optionWords, toLines } from "./words.js";

function ps(): Command {
  return new Command("ps")
    .option("-a, --all", "all steps")
    .option("-f, --filter <key=value>", "filter")
    .option("--hidden-one")
    .argument("[step...]");
}

test.each([
  [[""], { kind: "operand", index: 0 }],
  [["a"], { kind: "operand", index: 0 }],
  [["a", ""], { kind: "operand", index: 1 }],
  [["-"], { kind: "option" }],
  [["--al"], { kind: "option" }],
  [["--filter=na"], { kind: "value", prefix: "--filter=" }],
  [["--bogus=na"], { kind: "option" }],
  [["-a", ""], { kind: "operand", index: 0 }],
  [["--filter", ""], { kind: "value" }],
  [["-f", "name="], { kind: "value" }],
  [["-af", ""], { kind: "value" }],
  [["--filter=name=a", ""], { kind: "operand", index: 0 }],
  [["--filter", "name=a", ""], { kind: "operand", index: 0 }],
  [["--filter", "--all", ""], { kind: "operand", index: 0 }],
  [["--bogus", ""], { kind: "operand", index: 0 }],
  [["--", "-"], { kind: "operand", index: 0 }],
  [["-", ""], { kind: "operand", index: 1 }],
])("behind ps %j", (words, expected) => {
  expect(expectedAt(ps(), words, { passesThrough: false })).toMatchObject(expected);
});

test("behind the image, the words are the container's", () => {
  expect(expectedAt(ps(), ["alpine", "-"], { passesThrough: true })).toBeUndefined();
  expect(expectedAt(ps(), ["-"], { passesThrough: true })).toEqual({ kind: "option" });
});

test("a command of commands expects one of them", () => {
  const volume = new Command("volume");
  volume.command("ls");
  expect(expectedAt(volume, [""], { passesThrough: false })).toEqual({ kind: "command" });
});

test("each flag is listed once, by its long name", () => {
  expect(optionWords(ps()).map(({ text }) => text)).toEqual(["--all", "--filter", "--hidden-one", "--help"]);
});

test("words that a shell would split, or that would move the cursor, are left out", () => {
  const words = ["ab", "a b", "a\x1b", "b"].map((text) => ({ text, description: "of\ttwo\nlines" }));
  expect(toLines(words, "a")).toBe("ab\tof two lines\n");
});
