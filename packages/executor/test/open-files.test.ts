import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createExecutor, type ExecutorOptions, type StepInput } from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { afterAll, expect, test } from "vitest";

/** A daemon with a low limit of open files, which it may not raise. */
const binDir = await mkdtemp(join(tmpdir(), "test-few-files-"));
const limitFile = join(binDir, "limit");
await writeFile(limitFile, "5000:6000");
await writeFile(
  join(binDir, "containerd"),
  `#!/bin/sh
PATH=\${WFE_CONTAINERD_BIN_DIR:+$WFE_CONTAINERD_BIN_DIR:}\${PATH#*:}
exec setpriv --bounding-set=-sys_resource --inh-caps=-sys_resource prlimit --nofile="$(cat ${limitFile})" containerd "$@"
`,
);
await chmod(join(binDir, "containerd"), 0o755);
const at = useDaemon({ binDir });
afterAll(() => rm(binDir, { recursive: true }));

async function run(step: Partial<StepInput>, options: ExecutorOptions = {}) {
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir, ...options });
  return await executor.run({ name: "files", image: "busybox", ...step } as StepInput);
}

const SHOW = "ulimit -Sn; ulimit -Hn";

test("a daemon that may not give the default limit of open files runs steps with its own", async () => {
  // The soft limit may equal the hard one: daemons raise theirs, as all Go programs do.
  expect(await run({ run: SHOW })).toMatchObject({ stdout: expect.stringMatching(/^[56]000\n6000\n$/) });
});

test("so does one on another machine, whose limits nobody can see", async () => {
  const remote = { ...at.client, isLocal: false };
  expect(await run({ run: SHOW }, { client: remote })).toMatchObject({
    stdout: expect.stringMatching(/^[56]000\n6000\n$/),
  });
});

test("a limit that the step itself asks for is not lowered: it is refused", async () => {
  await expect(run({ run: SHOW, ulimits: { nofile: 7000 } })).rejects.toMatchObject({
    kind: "refused",
    issues: [{ field: "ulimits" }],
  });
  expect(await run({ run: SHOW, ulimits: { nofile: 4000 } })).toMatchObject({ stdout: "4000\n4000\n" });
});

test("a daemon that is restarted with another limit gives that one to the next step", async () => {
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
  const show = () => executor.run({ name: "files", image: "busybox", run: SHOW });
  expect(await show()).toMatchObject({ stdout: expect.stringMatching(/\n6000\n$/) });
  await writeFile(limitFile, "5000:7000");
  at.daemon.kill("SIGKILL");
  await at.daemon.restart();
  expect(await show()).toMatchObject({ stdout: expect.stringMatching(/\n7000\n$/) });
});
