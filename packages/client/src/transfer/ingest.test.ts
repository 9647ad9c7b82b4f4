import { expect, test } from "vitest";
import { wholeBlobTimeoutMs } from "./ingest.js";

test("lets the daemon take a minute, and as long more as 10 MB a second take", () => {
  expect(wholeBlobTimeoutMs(0)).toBe(60_000);
  expect(wholeBlobTimeoutMs(1)).toBeLessThanOrEqual(60_001);
  expect(wholeBlobTimeoutMs(30_000_000_000)).toBe(60_000 + 3_000_000);
});
