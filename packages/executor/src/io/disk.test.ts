import { afterEach, beforeEach, expect, test } from "vitest";
import { type DiskUse, onLowDisk, useDisk } from "./disk.js";

const MIB = 1024 * 1024;
let bavail = 0;
let uses: DiskUse[] = [];
let stopped: string[] = [];

function free(bytes: number): void {
  bavail = bytes;
}

function step(name: string, bytes: number): DiskUse {
  const user = { directory: "/io", storedBytes: async () => bytes, stop: () => stopped.push(name) };
  // No disk has this number.
  const use = useDisk(-1, user, async () => ({ bavail, blocks: 2000 * MIB, bsize: 1 }));
  uses.push(use);
  return use;
}

beforeEach(() => {
  uses = [];
  stopped = [];
});
afterEach(() => {
  for (const use of uses) use.end();
});

test("on a disk that is nearly full the largest is stopped, once, until its space is free", async () => {
  const small = step("small", 10 * MIB);
  const large = step("large", 100 * MIB);
  step("larger than most", 90 * MIB);
  free(300 * MIB);
  await small.check();
  expect(stopped).toEqual([]);
  free(100 * MIB);
  expect(await small.check()).toBe(false);
  await small.check();
  expect(stopped).toEqual(["large"]);
  large.end();
  free(0);
  expect(await small.check()).toBe(true);
  expect(stopped).toEqual(["large", "larger than most"]);
});

test("steps with little output are never stopped for others", async () => {
  const small = step("small", 10 * MIB);
  step("not large", 63 * MIB);
  free(0);
  await small.check();
  expect(stopped).toEqual([]);
});

test("space that is not needed is given back first", async () => {
  const large = step("large", 100 * MIB);
  let spare = true;
  const end = onLowDisk(async () => {
    const had = spare;
    spare = false;
    return had;
  });
  free(0);
  await large.check();
  expect(stopped).toEqual([]);
  await large.check();
  expect(stopped).toEqual(["large"]);
  end();
});
