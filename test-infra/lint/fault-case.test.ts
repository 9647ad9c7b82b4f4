import { expect, test } from "vitest";
import { rowsTested } from "./test-names.js";

/**
 * Faults between us, a registry, the daemon and the disk that must do no harm. A test's name says which one
 * it shows: `fault case 12`.
 */
const ROWS: ReadonlyMap<number, string> = new Map([
  [9, "a full disk for a step's output is noticed, and the result says where output is missing"],
  [
    11,
    "a registry that answers 429 or 5xx is asked again, in time and when it says; 401, 403 and 404 are not",
  ],
  [12, "a body that is cut is gone on with by Range, from what the daemon has"],
  [13, "bytes of another digest or size are dropped, and never unpacked"],
  [14, "a transfer that stalls ends by a time-out on no bytes; waiting for another's lock is no stall"],
  [15, "two that pull one image download it once"],
  [16, "a pull that is aborted leaves no ingest and no lease"],
  [17, "an image that is removed while a container is made of it stays as long"],
  [21, "a background process that keeps the output open holds nothing up"],
  [23, "NULs, bytes that are no text, a very long line and no newline at its end arrive to the byte"],
]);

test("every fault has a test that says so", async () => {
  const tested = await rowsTested("fault case");
  expect([...ROWS].filter(([row]) => !tested.has(row))).toEqual([]);
  expect([...tested].filter((row) => !ROWS.has(row))).toEqual([]);
});
