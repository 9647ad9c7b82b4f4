import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { useDaemon } from "../daemon/daemon.js";
import { createRuncStandIn } from "../daemon/runc-stand-in.js";
import { mountLoop } from "../daemon/small-disk.js";
import { soak } from "./soak.js";
import { createSoakLog } from "./soak-log.js";
import { soakSessions } from "./soak-sessions.js";

const STEPS = Number(process.env["WFE_SOAK_STEPS"]);
/** A shorter one tells nothing of the memory. */
const IS_LONG = STEPS >= 1_000;
const SEED = Number(process.env["WFE_SOAK_SEED"] ?? Date.now() % 1_000_000);
const ONLY = process.env["WFE_SOAK_FAULTS"];
const LOG = process.env["WFE_SOAK_LOG"];
const log = createSoakLog(LOG);
const MIB = 1024 * 1024;
const NO_FAULTS = {
  wrongCodes: [],
  errors: [],
  lostBytes: [],
  doubledBytes: [],
  otherBytes: [],
  ranTwice: [],
  neverRan: [],
  ranAnyway: [],
};

const directory = await mkdtemp(join(tmpdir(), "containerd-"));
const rootDisk = await mountLoop(join(directory, "root"), 64 * MIB);
const runc = await createRuncStandIn();
// Hooks run in the reverse order: the daemon is stopped first.
afterAll(async () => {
  if (LOG !== undefined) await copyFile(join(directory, "containerd.log"), `${LOG}.containerd`);
  await runc[Symbol.asyncDispose]();
  await rootDisk[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});
const at = useDaemon({ directory, binDir: runc.binDir, logLevel: LOG === undefined ? "warn" : "debug" });

function print(report: object): void {
  console.log(JSON.stringify(report, undefined, 2));
}

test(`${STEPS} steps are true while everything around them fails (WFE_SOAK_SEED=${SEED})`, async () => {
  const report = await soak(
    at,
    { runc, rootDisk },
    {
      steps: STEPS,
      stepsPerRound: IS_LONG ? 100 : 20,
      atOnce: 9,
      phasesPerStrike: 8,
      seed: SEED,
      log,
      only: ONLY === undefined ? undefined : new RegExp(ONLY),
    },
  );
  print(report);
  const { memory } = report;
  expect(report).toMatchObject({ ...NO_FAULTS, steps: STEPS });
  if (!IS_LONG) return;
  expect(memory.at100.heapBytes).toBeLessThan(memory.at10.heapBytes + 8 * MIB);
  expect(memory.at100.residentBytes).toBeLessThan(1.5 * memory.at10.residentBytes + 32 * MIB);
});

test(`${STEPS} steps of sessions are, too (WFE_SOAK_SEED=${SEED})`, async () => {
  const report = await soakSessions(at, runc, {
    steps: STEPS,
    atOnce: 4,
    phasesPerStrike: 8,
    seed: SEED,
    log,
  });
  print(report);
  expect(report).toMatchObject({ ...NO_FAULTS, steps: STEPS });
});
