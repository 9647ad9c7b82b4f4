import { expect, test } from "vitest";
import { ATTEMPTS, compareProbe } from "./expected.js";

const RIGHT = new Map(ATTEMPTS.map(({ attempt, default: outcomes }) => [attempt, [outcomes].flat()[0]]));

function compare(...changes: [attempt: string, outcome: string | undefined][]): string[] {
  const lines = [...new Map([...RIGHT, ...changes])].filter(([, outcome]) => outcome !== undefined);
  return compareProbe(`${lines.map((line) => line.join("\t")).join("\n")}\n`, "default");
}

test("a probe that finds what the table says has nothing wrong", () => {
  expect(compare()).toEqual([]);
});

test("what came of an attempt otherwise is wrong, and so is what was not tried, or is not in the table", () => {
  expect(compare(["unmount", "allowed"])).toEqual(["unmount: allowed, and not EPERM"]);
  expect(compare(["unmount", undefined])).toEqual(["unmount: not tried, and not EPERM"]);
  expect(compare(["fly", "EPERM"])).toEqual(["fly: not in the table"]);
});

test("absent is right on the rows alone that say where", () => {
  expect(compare(["/proc/kcore", "absent"])).toEqual([]);
  expect(compare(["/proc/interrupts", "absent"])).toEqual(["/proc/interrupts: absent, and not empty"]);
});
