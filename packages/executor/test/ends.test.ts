import { PassThrough } from "node:stream";
import { createExecutor } from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { expect, test } from "vitest";
import { printed } from "./printed.js";

const at = useDaemon();
const IMAGE = "busybox";
/** `WFE_SHORT_STEPS=1000` runs as many of them. */
const STEPS = Number(process.env["WFE_SHORT_STEPS"] ?? 20);

test.each(["file", "fifo"] as const)(
  `a step that ends at once has its code and all of its output, ${STEPS} times in %s mode (fault case 22)`,
  async (ioMode) => {
    await using executor = createExecutor({ client: at.client, ioDir: at.ioDir, ioMode, maxConcurrent: 4 });
    const step = { name: "short", image: IMAGE, run: "echo out; echo err >&2; true" };
    const results = await Promise.all(Array.from({ length: STEPS }, () => executor.run(step)));
    expect(results).toHaveLength(STEPS);
    for (const result of results)
      expect(result).toMatchObject({
        exitCode: 0,
        cause: "exit",
        stdout: "out\n",
        stderr: "err\n",
        log: { complete: true, gaps: [] },
        unreleased: [],
      });
  },
);

test("a signal that ends a step, or what its shell ran last, is a cause of its own (fault case 24)", async () => {
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
  const handle = executor.start({ name: "killed", image: IMAGE, command: ["sleep", "1000"] });
  await handle.started;
  await at.client.tasks.kill(handle.id, "SIGKILL");
  expect(await handle.result).toMatchObject({ exitCode: 137, cause: "signal", oomKills: 0, ok: false });
  // In a process of its own: process 1 of a container gets no signal from inside that it does not handle.
  const run = "(sh -c 'kill -SEGV $$'); echo never";
  expect(await executor.run({ name: "shell", image: IMAGE, run })).toMatchObject({
    exitCode: 139,
    cause: "signal",
  });
});

test("a fork bomb stays inside its limit of processes, and ends with its step (fault case 24)", async () => {
  const before = await at.inventory();
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
  const pidsLimit = 40;
  const input = new PassThrough();
  const run = "bomb() { bomb & bomb; }; bomb & read -r go; exit 7";
  const handle = executor.start({ name: "bomb", image: IMAGE, pidsLimit, run }, { stdin: input });
  // It has met the limit.
  await printed(handle, "can't fork");
  for (let looks = 20; looks > 0; looks--) {
    const { "processes in containers": processes } = await at.inventory();
    expect(processes.length - before["processes in containers"].length).toBeLessThanOrEqual(pidsLimit);
  }
  expect(await executor.run({ name: "beside", image: IMAGE, run: "echo out" })).toMatchObject({
    exitCode: 0,
    stdout: "out\n",
  });
  input.end("\n");
  expect(await handle.result).toMatchObject({ exitCode: 7, cause: "exit" });
  await handle[Symbol.asyncDispose]();
  await at.expectNothingLeft(before);
});

test.each(["file", "fifo"] as const)(
  "a background process that keeps the output open after the end of its parent holds nothing up, in %s mode (fault case 21)",
  async (ioMode) => {
    const before = await at.inventory();
    await using executor = createExecutor({ client: at.client, ioDir: at.ioDir, ioMode });
    const session = await executor.open({ name: "host", image: IMAGE });
    const handle = session.start({ run: "sleep 600 & echo over" });
    expect(await handle.result).toMatchObject({ exitCode: 0, cause: "exit", stdout: "over\n" });
    expect(await handle.closed).toEqual({ unreleased: [] });
    await handle[Symbol.asyncDispose]();
    expect((await session.run({ run: "cat /proc/[0-9]*/comm" })).stdout).toContain("sleep\n");
    expect(await session.close()).toEqual({ reason: "closed", unreleased: [] });
    await executor.close();
    await at.expectNothingLeft(before);
  },
);
