import { type Client, createClient } from "@wfe-containerd/client";
import { createExecutor, reap } from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { startPath } from "@wfe-containerd/test-infra/daemon/path";
import { expect, test } from "vitest";
import { PHASES, startGated } from "./gated-step.js";

const at = useDaemon();

function clientOf(address: string, keepAliveMs?: number): Client {
  return createClient({ address, namespace: at.client.namespace, keepAliveMs });
}

test.each(PHASES)(
  "a path over TCP that is cut as the phase %s begins costs nothing of the step (F3)",
  async (phase) => {
    const before = await at.inventory();
    await using path = await startPath(at.daemon.socketPath);
    await using client = clientOf(path.address);
    await using executor = createExecutor({ client, ioDir: at.ioDir, reapIntervalMs: false });
    const step = { name: "cut", image: "busybox", run: "echo out; exit 7" };
    await executor.run(step);
    const cutsBefore = client.disconnects();
    const result = await executor.run(step, {
      onEvent(event) {
        if (event.type === "phase" && event.phase === phase) path.cut();
      },
    });
    expect(result).toMatchObject({ exitCode: 7, cause: "exit", stdout: "out\n", unreleased: [] });
    expect(client.disconnects()).toBeGreaterThan(cutsBefore);
    await executor.close();
    // If a deletion is cut, the daemon may forget the shim. From another machine, nobody sees that.
    expect((await reap(at.client)).failed).toEqual([]);
    await at.expectNothingLeft(before);
  },
);

test("a path over TCP on which nothing comes any more is noticed, tells nothing of the step, and gives its result when it is healed (fault case 18)", async () => {
  const before = await at.inventory();
  await using path = await startPath(at.daemon.socketPath);
  await using client = clientOf(path.address, 500);
  await using step = await startGated(at, { client, daemonTimeoutMs: 600_000 });
  path.stall();
  await step.seen("daemon-away");
  // The step ends while nobody can know it.
  await step.open();
  await expect.poll(async () => (await at.client.tasks.get(step.handle.id)).status).toBe("stopped");
  await expect(client.tasks.get(step.handle.id, { timeoutMs: 1_000 })).rejects.toMatchObject({
    kind: expect.stringMatching(/^(?:unavailable|deadline-exceeded)$/),
  });
  expect(step.events.findLast(({ type }) => type === "phase")).toMatchObject({ phase: "running" });
  path.open();
  expect(await step.handle.result).toMatchObject({ exitCode: 7, cause: "exit", stdout: "before\nafter\n" });
  await step.seen("daemon-back");
  expect(await step.handle.closed).toEqual({ unreleased: [] });
  await step.handle[Symbol.asyncDispose]();
  await at.expectNothingLeft(before);
});
