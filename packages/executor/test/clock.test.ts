import { createExecutor, reap, removeStep } from "@wfe-containerd/executor";
import { once, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { BUSYBOX_NAME, busyboxArchive } from "@wfe-containerd/test-infra/images";
import { afterEach, expect, test, vi } from "vitest";
import { startGated } from "./gated-step.js";

const at = useDaemon();
const HOUR_MS = 3_600_000;
afterEach(() => vi.useRealTimers());

/** Sets this process's wall clock, which stands still from then on. The daemon's goes on. */
function setClock(byMs: number): void {
  vi.useRealTimers();
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + byMs });
}

test("a step's time-out does not come early when the clock jumps an hour ahead (fault case 19)", async () => {
  await using step = await startGated(at, {}, { timeoutMs: 600_000 });
  setClock(HOUR_MS);
  await step.open();
  const { exitCode, cause, durationMs } = await step.handle.result;
  expect({ exitCode, cause }).toEqual({ exitCode: 7, cause: "exit" });
  expect(durationMs).toBeLessThan(HOUR_MS);
});

test("a step's time-out and its grace do not come late when the clock jumps an hour back (fault case 19)", async () => {
  await using step = await startGated(
    at,
    {},
    { timeoutMs: 3_000, stopGraceMs: 500, run: "trap '' TERM; echo before; while :; do sleep 0.05; done" },
  );
  setClock(-HOUR_MS);
  const { exitCode, cause, durationMs } = await step.handle.result;
  expect({ exitCode, cause }).toEqual({ exitCode: 137, cause: "timeout" });
  expect(durationMs).toBeGreaterThan(3_000);
});

test("a daemon that is away is waited for, although the clock jumps an hour ahead meanwhile (fault case 19)", async () => {
  await using step = await startGated(at, { daemonTimeoutMs: 600_000 });
  at.daemon.kill("SIGKILL");
  await step.seen("daemon-away");
  setClock(HOUR_MS);
  await at.daemon.restart();
  await step.open();
  expect(await step.handle.result).toMatchObject({ exitCode: 7, cause: "exit" });
});

test("the deadline of a step that was left is not over because the clock jumps an hour ahead (fault case 19)", async () => {
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir, reapIntervalMs: false });
  const step = { name: "left", image: "busybox", command: ["sleep", "1000"], timeoutMs: 600_000 };
  const id = await executor.detach(step);
  setClock(HOUR_MS);
  const { removed, failed } = await reap(at.client, { ioDir: at.ioDir });
  expect([removed, failed].flat().filter(({ stepId }) => stepId === id)).toEqual([]);
  expect(await at.client.tasks.get(id)).toMatchObject({ status: "running" });
  vi.useRealTimers();
  await removeStep(at.client, id);
});

test("a clock two days behind the daemon's costs no step and no image, however often garbage is collected (F19)", async () => {
  setClock(-48 * HOUR_MS);
  // A connection that does not know the daemon's clock yet.
  await using client = at.client.with({ namespace: `${at.client.namespace}-behind` });
  let isOver = false;
  const collecting = (async () => {
    while (!isOver) await at.client.with({ namespace: client.namespace }).leases.collectGarbage();
  })();
  try {
    await client.images.import(once(await busyboxArchive()), { name: BUSYBOX_NAME });
    await using executor = createExecutor({ client, ioDir: at.ioDir, reapIntervalMs: false });
    for (let left = 3; left > 0; left--)
      expect(await executor.run({ name: "behind", image: "busybox", run: "echo out; exit 7" })).toMatchObject(
        {
          exitCode: 7,
          stdout: "out\n",
          unreleased: [],
        },
      );
  } finally {
    isOver = true;
    await collecting;
  }
  await client.images.remove(BUSYBOX_NAME, { sync: true });
});
