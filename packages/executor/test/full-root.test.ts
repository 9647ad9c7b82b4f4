import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listSteps } from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { mountLoop } from "@wfe-containerd/test-infra/daemon/small-disk";
import { afterAll, expect, test } from "vitest";
import { startGated } from "./gated-step.js";

const MIB = 1024 * 1024;
const directory = await mkdtemp(join(tmpdir(), "containerd-"));
const disk = await mountLoop(join(directory, "root"), 64 * MIB);
// Hooks run in the reverse order: the daemon is stopped first.
afterAll(async () => {
  await disk[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});
const at = useDaemon({ directory });

test("an end that the full disk of containerd keeps out of the record stays with the task until it can be written (fault case 10)", async () => {
  const before = await at.inventory();
  {
    await using step = await startGated(at, { reapIntervalMs: false });
    const { id, result, closed } = step.handle;
    // What is written of a small container may fit into pages of the database that are free.
    const long = Array.from({ length: 40 }, (_, at): [string, string] => [`long-${at}`, "x".repeat(3_000)]);
    await at.client.containers.update(id, { labels: Object.fromEntries(long) });
    await disk.fill();
    await step.open();
    expect(await result).toMatchObject({ exitCode: 7, cause: "exit", stdout: "before\nafter\n" });
    expect(await closed).toMatchObject({
      unreleased: [
        { kind: "task", reason: expect.stringContaining("no space left on device") },
        {},
        {},
        {},
        {},
        {},
      ],
    });
    // So whoever takes the step over, should this process die, sees its true end.
    expect(await at.client.tasks.get(id)).toMatchObject({ status: "stopped", exitCode: 7 });
    await disk.free();
    // Without being asked.
    await expect.poll(() => listSteps(at.client)).toEqual([]);
  }
  await at.expectNothingLeft(before);
});
