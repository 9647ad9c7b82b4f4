import { expect, test } from "vitest";
import { useDaemon } from "../daemon/daemon.js";
import { soak } from "./soak.js";

const STEPS = Number(process.env["WFE_SOAK_STEPS"] ?? 100);
const SEED = Number(process.env["WFE_SOAK_SEED"] ?? Date.now() % 1_000_000);

const at = useDaemon();

test(`${STEPS} steps are true while the daemon and their process are killed (WFE_SOAK_SEED=${SEED})`, async () => {
  const before = await at.inventory();
  const report = await soak(at, { steps: STEPS, atOnce: 8, daemonMs: 8_000, workerMs: 6_000, seed: SEED });
  if (process.env["WFE_SOAK_STEPS"] !== undefined) console.log(JSON.stringify(report, undefined, 2));
  const {
    daemonKills,
    workerKills,
    recovered,
    memoryBytes,
    seconds: _,
    unknown: __,
    forgotten,
    ...faults
  } = report;
  expect(faults).toEqual({
    steps: STEPS,
    wrongCodes: [],
    errors: [],
    lostBytes: [],
    doubledBytes: [],
    otherBytes: [],
    ranTwice: [],
    neverRan: [],
  });
  if (at.daemon.version.startsWith("1.6.")) expect(forgotten).toEqual([]);
  expect(Math.min(daemonKills, workerKills, recovered)).toBeGreaterThan(0);
  expect(memoryBytes.at100).toBeLessThan(1.5 * memoryBytes.at10 + 32 * 1024 * 1024);
  await at.expectNothingLeft(before);
});
