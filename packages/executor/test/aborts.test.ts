import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createExecutor,
  isExecutorError,
  listVolumes,
  removeVolume,
  type StepHandle,
  type StepInput,
} from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { createPrivateNetwork, type PrivateNetwork } from "@wfe-containerd/test-infra/daemon/network";
import { randomOf } from "@wfe-containerd/test-infra/random";
import { afterAll, expect, test } from "vitest";

const network: PrivateNetwork = await createPrivateNetwork();
const dataDir = await mkdtemp(join(tmpdir(), "test-cni-"));
const at = useDaemon({ binDir: network.binDir });
afterAll(async () => {
  await network[Symbol.asyncDispose]();
  await rm(dataDir, { recursive: true });
});

/**
 * `WFE_ABORT_ROUNDS=20` runs a long search. The seed of a failure is printed; `WFE_ABORT_SEED` runs it again.
 */
const ROUNDS = Number(process.env["WFE_ABORT_ROUNDS"] ?? 1);
const STEPS = 24;
const BRIDGE = { name: "wfetest1", subnet: "10.98.0.0/24", dataDir };
const PHASES = ["resolving", "preparing", "starting", "running", "settling", "releasing"];

/** A step that uses one of every kind of resource that must be released. */
const STEP: StepInput = {
  name: "aborted",
  image: "busybox",
  run: "trap 'exit 3' TERM; echo on; i=0; while [ $i -lt 8 ]; do sleep 0.02; i=$((i+1)); done; echo x > /v/x",
  workingDir: "/made/here",
  caches: ["aborted:/v"],
  secrets: ["token"],
  tmpfs: ["/scratch"],
  network: "bridge",
  stopGrace: "300ms",
};

function executor(ioMode: "file" | "fifo") {
  return createExecutor({
    client: at.client,
    ioDir: at.ioDir,
    ioMode,
    bridge: BRIDGE,
    policy: { bridgeNetwork: true, volumes: "any" },
  });
}

type End = (handle: StepHandle, abort: () => void) => void;
const ENDS: readonly End[] = [
  (handle) => handle.stop(),
  (handle) => handle.kill(),
  (_, abort) => abort(),
  (handle) => {
    handle.stop();
    handle.kill();
  },
];

/** How a step ended, as text: `exit 0`, `aborted`, or the message of its error. */
async function outcome(handle: StepHandle): Promise<string> {
  try {
    const { cause, exitCode } = await handle.result;
    await handle.closed;
    return cause === "exit" ? `exit ${exitCode}` : cause;
  } catch (reason) {
    await handle.closed;
    // The message, so that a failed test shows it.
    if (isExecutorError(reason)) return reason.kind === "aborted" ? reason.kind : reason.message;
    throw reason;
  }
}

/**
 * Calls a function as a phase begins. Reads the events to their end; an error at their end is in the result.
 */
async function onPhase(handle: StepHandle, phase: string, act: () => void): Promise<void> {
  try {
    for await (const event of handle) if (event.type === "phase" && event.phase === phase) act();
  } catch (reason) {
    await expect(handle.result).rejects.toBe(reason);
  }
}

const ALLOWED = expect.stringMatching(/^(exit 0|aborted)$/);

async function expectNothingLeft(before: Awaited<ReturnType<typeof at.inventory>>): Promise<void> {
  for (const { name } of await listVolumes(at.client)) await removeVolume(at.client, name);
  await at.expectNothingLeft(before);
  const addresses = await readdir(join(dataDir, BRIDGE.name)).catch(() => []);
  expect(addresses.filter((name) => /^[\d.]+$/.test(name))).toEqual([]);
  // The kernel removes the interfaces of a network namespace a moment after its last process has ended.
  await expect.poll(() => network.exec("ip", "-brief", "link")).not.toContain("veth");
}

test.each(["file", "fifo"] as const)(
  "a step that is ended as a phase begins leaves nothing, whichever phase and however, in %s mode",
  async (ioMode) => {
    const before = await at.inventory();
    const runner = executor(ioMode);
    for (const phase of PHASES) {
      for (const end of ENDS) {
        const aborted = new AbortController();
        const handle = runner.start(STEP, { signal: aborted.signal, secrets: { token: "t0ken" } });
        await onPhase(handle, phase, () => end(handle, () => aborted.abort()));
        expect(await outcome(handle), phase).toEqual(ALLOWED);
      }
    }
    await runner.close();
    await expectNothingLeft(before);
  },
);

test.each(["file", "fifo"] as const)(
  "steps that are ended at any moment leave nothing, in %s mode",
  async (ioMode) => {
    const before = await at.inventory();
    const seed = Number(process.env["WFE_ABORT_SEED"] ?? Date.now() % 1e9);
    const random = randomOf(seed);
    for (let round = 0; round < ROUNDS; round++) {
      const runner = executor(ioMode);
      const handles = Array.from({ length: STEPS }, () => {
        const aborted = new AbortController();
        const handle = runner.start(STEP, { signal: aborted.signal, secrets: { token: "t0ken" } });
        const end = ENDS[Math.floor(random() * ENDS.length)] as End;
        setTimeout(() => end(handle, () => aborted.abort()), random() * 2_500);
        return handle;
      });
      let isOver = false;
      // Removes at once whatever no lease protects.
      const collecting = (async () => {
        while (!isOver) await at.client.leases.collectGarbage();
      })();
      const outcomes = await Promise.all(handles.map(outcome));
      isOver = true;
      await collecting;
      expect(outcomes, `seed ${seed}`).toEqual(outcomes.map(() => ALLOWED));
      await runner.close();
    }
    await expectNothingLeft(before);
  },
);
