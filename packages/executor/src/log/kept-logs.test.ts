import { expect, test } from "vitest";
import { createKeptLogs } from "./kept-logs.js";
import { createLog, type Log } from "./log.js";

const GIB = 1024 ** 3;

function logOf(bytes: number): Log & { isClosed: boolean } {
  return {
    ...createLog(),
    isClosed: false,
    storedBytes: async () => bytes,
    async close() {
      this.isClosed = true;
    },
  };
}

test("of logs that nobody closes the newest are kept: so many, and so much, but the newest in any case", async () => {
  const kept = createKeptLogs();
  const small = Array.from({ length: 70 }, () => logOf(1));
  for (const log of small) kept.add(log);
  await expect.poll(() => small.filter(({ isClosed }) => isClosed)).toHaveLength(6);
  expect(small.slice(0, 6).every(({ isClosed }) => isClosed)).toBe(true);
  const large = logOf(2 * GIB);
  kept.add(large);
  await expect.poll(() => small.every(({ isClosed }) => isClosed)).toBe(true);
  expect(large.isClosed).toBe(false);
  await kept.close();
  expect(large.isClosed).toBe(true);
});

test("a log that was removed is closed", async () => {
  const kept = createKeptLogs();
  const log = logOf(1);
  kept.add(log);
  await kept.remove(log);
  expect(log.isClosed).toBe(true);
  await kept.close();
});
