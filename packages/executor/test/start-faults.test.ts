import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createClient } from "@wfe-containerd/client";
import { createExecutor, reap } from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { startPath } from "@wfe-containerd/test-infra/daemon/path";
import { createRuncStandIn } from "@wfe-containerd/test-infra/daemon/runc-stand-in";
import { afterAll, expect, test } from "vitest";

const runc = await createRuncStandIn();
const at = useDaemon({ binDir: runc.binDir });
/** If this file is there, the next shim dies as soon as it is started. */
const dies = join(runc.binDir, "shim-dies");
// The daemon connects to a shim when the program that starts it has ended. Its second argument is the
// namespace, in which there is no other shim then.
await writeFile(
  join(runc.binDir, "containerd-shim-runc-v2"),
  `#!/bin/sh
real="$(PATH="\${PATH#*:}"; command -v containerd-shim-runc-v2)"
case "$*" in *start) if rm '${dies}' 2>/dev/null; then
  "$real" "$@"
  for each in /proc/[0-9]*; do
    case "$(tr '\\0' ' ' < "$each/cmdline")" in "$real "*" $2 "*) kill -KILL "\${each#/proc/}";; esac
  done 2>/dev/null
  exit 0
fi;; esac
exec "$real" "$@"
`,
  { mode: 0o755 },
);
afterAll(() => runc[Symbol.asyncDispose]());

test("a process runs once, and its session goes on, if the daemon dies while runc starts it", async () => {
  const before = await at.inventory();
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
  const session = await executor.open({ name: "goes-on", image: "busybox" });
  const added = join(at.daemon.directory, `added-${randomUUID()}`);
  // The shim calls runc where the container's root file system is mounted.
  const ran = "until [ -s rootfs/tmp/ran ]; do sleep 0.05; done";
  await runc.before("exec", `real "$@"; ${ran}; touch ${added}; exec sleep 600`);
  const step = session.start({ run: "echo ran >> /tmp/ran; exit 7" });
  await expect.poll(() => existsSync(added)).toBe(true);
  at.daemon.kill("SIGKILL");
  await at.daemon.restart();
  expect(await step.result).toMatchObject({ exitCode: null, cause: "unknown" });
  expect(await step.closed).toEqual({ unreleased: [] });
  expect((await session.run({ command: ["cat", "/tmp/ran"] })).stdout).toBe("ran\n");
  expect(await session.close()).toEqual({ reason: "closed", unreleased: [] });
  await step[Symbol.asyncDispose]();
  await executor.close();
  await at.expectNothingLeft(before);
});

test("a step runs once, and its end is told, if its shim dies while runc starts it", async () => {
  const before = await at.inventory();
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
  const ran = join(at.daemon.directory, `ran-${randomUUID()}`);
  await runc.before("start", `real "$@"; echo ran >> ${ran}; exec kill -KILL "$PPID"`);
  const result = await executor.run({
    name: "shim-dies",
    image: "busybox",
    run: "sleep 1000",
    retry: { attempts: 3 },
  });
  expect(result).toMatchObject({ exitCode: null, cause: "runtime-lost" });
  expect(await readFile(ran, "utf8")).toBe("ran\n");
  await executor.close();
  await at.expectNothingLeft(before);
});

test("a process is told to have ended with its container, if their shim dies while runc starts it", async () => {
  const before = await at.inventory();
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
  await using step = executor.start({ name: "host", image: "busybox", command: ["sleep", "1000"] });
  await step.started;
  await runc.before("exec", `real "$@"; exec kill -KILL "$PPID"`);
  await using added = step.exec({ command: ["sleep", "1000"] });
  expect(await added.result).toMatchObject({ exitCode: null, cause: "container-ended" });
  expect(await step.result).toMatchObject({ exitCode: null, cause: "runtime-lost" });
  await step[Symbol.asyncDispose]();
  await executor.close();
  await at.expectNothingLeft(before);
});

test("a step whose first process is killed before it is started is an error of the runtime, not of the step (fault case 7)", async () => {
  const before = await at.inventory();
  await using client = createClient({
    address: at.daemon.address,
    namespace: at.client.namespace,
    interceptors: [
      (next) => async (request) => {
        if (request.service.typeName.endsWith(".Tasks") && request.method.name === "Start") {
          const [task] = await at.client.tasks.list();
          process.kill(task?.pid ?? 0, "SIGKILL");
          await expect.poll(() => at.client.tasks.list()).toMatchObject([{ status: "stopped" }]);
        }
        return next(request);
      },
    ],
  });
  await using executor = createExecutor({ client, ioDir: at.ioDir, reapIntervalMs: false });
  await expect(
    executor.run({ name: "killed", image: "busybox", run: "echo out", retry: { attempts: 3, delay: "0ms" } }),
  ).rejects.toMatchObject({
    kind: "runtime",
    message: expect.stringMatching(/^the container could not be started: /),
    unreleased: [],
  });
  await executor.close();
  await at.expectNothingLeft(before);
});

test.each([
  ["before the daemon has reached it", () => writeFile(dies, "")],
  ["before runc has begun", () => runc.before("create", 'exec kill -KILL "$PPID"')],
  ["when runc is done", () => runc.before("create", 'real "$@"; exec kill -KILL "$PPID"')],
])(
  "a step whose shim dies as it creates the container, %s, is created again, and runs once",
  async (_, kill) => {
    const before = await at.inventory();
    const executor = createExecutor({ client: at.client, ioDir: at.ioDir });
    await kill();
    const step = { name: "shim-died", image: "busybox", run: "echo out; exit 7" };
    expect(await executor.run(step)).toMatchObject({ exitCode: 7, stdout: "out\n", unreleased: [] });
    expect(existsSync(dies)).toBe(false);
    await executor.close();
    await at.expectNothingLeft(before);
  },
);

test("a step has its output if the path to the daemon is cut while its task is created, and the daemon dies while it undoes that", async () => {
  const before = await at.inventory();
  await using path = await startPath(at.daemon.socketPath);
  await using client = createClient({ address: path.address, namespace: at.client.namespace });
  const executor = createExecutor({ client, ioDir: at.ioDir, reapIntervalMs: false });
  const file = (name: string): string => join(at.daemon.directory, `${name}-${randomUUID()}`);
  const [creating, created] = [file("creating"), file("created")] as const;
  await runc.before("create", `touch ${creating}; sleep 0.5; real "$@"; touch ${created}; exit 0`);
  // The daemon may refuse other limits, and the task would be created twice.
  const ulimits = { nofile: 1024 };
  const result = executor.run({ name: "cut", image: "busybox", run: "echo out; exit 7", ulimits });
  await expect.poll(() => existsSync(creating)).toBe(true);
  path.close();
  await expect.poll(() => existsSync(created)).toBe(true);
  // The shim is asked to delete the task now, and waits two seconds for the end of its output.
  await delay(500);
  at.daemon.kill("SIGKILL");
  await at.daemon.restart();
  path.open();
  expect(await result).toMatchObject({ exitCode: 7, cause: "exit", stdout: "out\n", unreleased: [] });
  await executor.close();
  // From another machine, nobody sees a shim that the daemon has forgotten.
  expect((await reap(at.client)).failed).toEqual([]);
  await at.expectNothingLeft(before);
});
