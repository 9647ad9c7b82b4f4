import { expect, test } from "vitest";
import { useDaemon } from "../daemon/daemon.js";
import { soak } from "./soak.js";
import { soakSessions } from "./soak-sessions.js";

const STEPS = Number(process.env["WFE_SOAK_STEPS"] ?? 100);
const SEED = Number(process.env["WFE_SOAK_SEED"] ?? Date.now() % 1_000_000);
const RATES = { daemonMs: 8_000, workerMs: 6_000, seed: SEED };
const MIB = 1024 * 1024;
const NO_FAULTS = {
  wrongCodes: [],
  errors: [],
  lostBytes: [],
  doubledBytes: [],
  otherBytes: [],
  ranTwice: [],
  neverRan: [],
};

const at = useDaemon();

function print(report: object): void {
  if (process.env["WFE_SOAK_STEPS"] !== undefined) console.log(JSON.stringify(report, undefined, 2));
}

test(`${STEPS} steps are true while the daemon and their process are killed (WFE_SOAK_SEED=${SEED})`, async () => {
  const before = await at.inventory();
  const report = await soak(at, { ...RATES, steps: STEPS, atOnce: 8 });
  print(report);
  const {
    daemonKills,
    workerKills,
    recovered,
    memory,
    seconds: _,
    unknown: __,
    forgotten,
    ...faults
  } = report;
  expect(faults).toEqual({ ...NO_FAULTS, steps: STEPS });
  if (at.daemon.version.startsWith("1.6.")) expect(forgotten).toEqual([]);
  expect(Math.min(daemonKills, workerKills, recovered)).toBeGreaterThan(0);
  expect(memory.at100.heapBytes).toBeLessThan(memory.at10.heapBytes + 8 * MIB);
  expect(memory.at100.residentBytes).toBeLessThan(1.5 * memory.at10.residentBytes + 32 * MIB);
  await at.expectNothingLeft(before);
});

test(`${STEPS} steps of sessions are, too (WFE_SOAK_SEED=${SEED})`, async () => {
  const before = await at.inventory();
  const report = await soakSessions(at, { ...RATES, steps: STEPS, atOnce: 4 });
  print(report);
  const {
    daemonKills,
    workerKills,
    connected,
    interrupted: _,
    seconds: __,
    unknown: ___,
    forgotten: ____,
    ...faults
  } = report;
  expect(faults).toEqual({ ...NO_FAULTS, steps: STEPS });
  expect(Math.min(daemonKills, workerKills, connected)).toBeGreaterThan(0);
  await at.expectNothingLeft(before);
});
