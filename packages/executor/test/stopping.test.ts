import { createExecutor, UNRESTRICTED_POLICY } from "@wfe-containerd/executor";
import { expect, test } from "vitest";
import { BUSYBOX, useRefusals } from "./refusals.js";

const { at, issuesOf, withImage } = useRefusals();

test("close() kills what has not ended by then, whatever grace the step has", async () => {
  const { client, ioDir } = at;
  const executor = createExecutor({ client, ioDir, policy: UNRESTRICTED_POLICY });
  const step = { ...BUSYBOX, run: "trap '' TERM; echo on; while :; do sleep 0.05; done", stopGrace: "9000d" };
  const handle = executor.start(step);
  for await (const event of handle) if (event.type === "output") break;
  await executor.close({ graceMs: 100 });
  expect(await handle.result).toMatchObject({ exitCode: 137, cause: "aborted", stdout: "on\n" });
});

test("a grace beyond what the policy allows is refused", async () => {
  expect(await issuesOf({ stopGrace: "61s" }, { policy: {} })).toEqual([
    expect.objectContaining({ field: "stopGrace", allowed: "by the policy's maximumStopGraceMs" }),
  ]);
});

test.each(["SIGNOPE", "", "99"])("an image whose stop signal is %j is stopped by SIGTERM", async (signal) => {
  await withImage({ StopSignal: signal }, async (image) => {
    await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
    const script = "trap 'exit 3' TERM; echo on; while :; do sleep 0.05; done";
    const handle = executor.start({ ...BUSYBOX, image, run: script });
    for await (const event of handle) if (event.type === "output") handle.stop();
    expect(await handle.result).toMatchObject({ exitCode: 3, cause: "aborted" });
    await handle.closed;
  });
});
