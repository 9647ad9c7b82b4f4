import { readFile } from "node:fs/promises";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { expect, test } from "vitest";
import { startGated } from "./gated-step.js";
import { printed } from "./printed.js";

const at = useDaemon();

test.each([
  ["goes on", "exit 0", { exitCode: 0, cause: "exit", ok: true }],
  ["ends with its code", "exit $code", { exitCode: 137, cause: "oom", ok: false }],
])(
  "that the kernel killed a process of a step for its memory is known though the event was lost, and the step %s (fault case 8)",
  async (_, end, expected) => {
    const before = await at.inventory();
    const run = `echo before
while [ ! -e /gate/go ]; do sleep 0.02; done
code=0; tail /dev/zero || code=$?
echo killed
while [ ! -e /gate/end ]; do sleep 0.02; done
${end}`;
    await using step = await startGated(at, {}, { memory: "16m", run });
    const { handle } = step;
    const { pid } = await at.client.tasks.get(handle.id);
    at.daemon.kill("SIGKILL");
    await at.daemon.exited;
    // Nobody is there whom the shim could tell.
    await step.open();
    await printed(handle, "killed\n");
    expect(await readFile(`/proc/${pid}/comm`, "utf8")).toBe("sh\n");
    await at.daemon.restart();
    await step.open("end");
    expect(await handle.result).toMatchObject({ ...expected, oomKills: 1 });
    await handle[Symbol.asyncDispose]();
    await at.expectNothingLeft(before);
  },
);
