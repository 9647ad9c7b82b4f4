import { createClient } from "@wfe-containerd/client";
import { createDeferred } from "@wfe-containerd/client/internal";
import { createExecutor, type DetachOptions, listSteps, reap, removeStep } from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { afterEach, expect, test } from "vitest";
import { printed } from "./printed.js";

const at = useDaemon();
const made: string[] = [];

afterEach(async () => {
  for (const id of made.splice(0)) await removeStep(at.client, id);
});

const open = () => createExecutor({ client: at.client, ioDir: at.ioDir });

/** Starts a step in an executor that is closed at once. */
async function detach(run: string, fields: object = {}, options: DetachOptions = {}): Promise<string> {
  await using executor = open();
  const step = { name: "left", image: "busybox", command: ["/bin/sh", "-c", run], ...fields };
  const id = await executor.detach(step, options);
  made.push(id);
  return id;
}

/** Waits for the end of a step that was left. */
const ended = (id: string) => at.client.tasks.wait(id);

test("a step that is left goes on without its executor, and keeps its output and its exit code", async () => {
  const id = await detach("echo begin; while [ ! -e /tmp/go ]; do sleep 0.05; done; echo end; exit 7");
  await using executor = open();
  await using other = open();
  const handles = [await executor.attach(id), await other.attach("left")] as const;
  const [handle] = handles;
  await Promise.all(handles.map(({ started }) => started));
  await printed(handle, "begin\n");
  const seen = [];
  for await (const { text } of handle.log.lines({ follow: false })) seen.push(text);
  expect(seen).toEqual(["begin"]);
  expect(await listSteps(at.client)).toMatchObject([
    { id, executor: "left", status: "running", afterEnd: "keep" },
  ]);

  // It may itself be killed with the container, whose end it lets happen.
  const touch = await executor.exec(id, { command: ["touch", "/tmp/go"], user: "0" });
  await touch.result;
  for (const each of handles)
    expect(await each.result).toMatchObject({
      name: "left",
      exitCode: 7,
      cause: "exit",
      stdout: "begin\nend\n",
      log: { complete: true, gaps: [] },
    });
  expect(await listSteps(at.client)).toMatchObject([{ id, status: "stopped", exitCode: 7 }]);

  const late = await executor.attach(id);
  expect(await late.result).toMatchObject({ exitCode: 7, stdout: "begin\nend\n" });
  const refused = late.exec({ command: ["true"] });
  await expect(refused.result).rejects.toMatchObject({ kind: "refused" });
  await expect(executor.exec(id, { command: ["true"] }).then(({ result }) => result)).rejects.toMatchObject({
    kind: "refused",
  });
});

test("one that ends at once is kept, too", async () => {
  const ids = await Promise.all(Array.from({ length: 4 }, (_, code) => detach(`echo ${code}; exit ${code}`)));
  await using executor = open();
  for (const [code, id] of ids.entries()) {
    await ended(id);
    const handle = await executor.attach(id);
    expect(await handle.result).toMatchObject({ exitCode: code, stdout: `${code}\n`, log: { gaps: [] } });
  }
});

test("one with a terminal waits at it, and what it prints there is kept", async () => {
  const fields = { command: ["/bin/sh"], env: { PS1: "> " } };
  const id = await detach("", fields, { terminal: { columns: 70, rows: 20 } });
  await using executor = open();
  const process = await executor.exec(id, {
    run: "echo here >> /proc/1/fd/1; readlink /proc/1/fd/0; stty size < /proc/1/fd/0",
  });
  expect((await process.result).stdout).toBe("/dev/pts/0\n20 70\n");
  await at.client.tasks.kill(id, "KILL");
  const handle = await executor.attach(id);
  expect(await handle.result).toMatchObject({ cause: "signal", stderr: "" });
  expect((await handle.result).stdout).toMatch(/here\r\n/);
});

test("stopping to follow leaves it alone; neither recover nor reap takes it, until it is to go", async () => {
  const kept = await detach("sleep 1000");
  const gone = await detach("sleep 1000", { name: "gone" }, { afterEnd: "remove" });
  await using executor = open();
  const handle = await executor.attach("left");
  await handle.started;
  handle.kill();
  await expect(handle.result).rejects.toMatchObject({
    kind: "aborted",
    message: expect.stringMatching(/goes on by itself$/),
  });
  for await (const recovered of executor.recover()) expect(recovered.id).toBe("");
  expect((await reap(at.client, { ioDir: at.ioDir })).removed).toEqual([]);
  await at.client.tasks.kill(gone, "KILL");
  await ended(gone);
  const listed = (await listSteps(at.client)).find(({ id }) => id === gone);
  expect(listed).toMatchObject({ executor: "gone", status: "stopped", afterEnd: "remove" });
  const { removed } = await reap(at.client, { ioDir: at.ioDir });
  expect(new Set(removed.map(({ stepId }) => stepId))).toEqual(new Set([gone]));
  expect(await listSteps(at.client)).toMatchObject([{ id: kept, status: "running" }]);
  made.splice(made.indexOf(gone), 1);
});

test("a process that is left in a step goes on without its executor, and ends with the step", async () => {
  const id = await detach("exec sleep 1000");
  {
    await using executor = open();
    const run = "echo lost; until [ -e /tmp/go ]; do sleep 0.05; done; echo $A > /tmp/went; exec sleep 1000";
    expect(await executor.detachExec(id, { run, env: { A: "1" } })).toMatch(/^exec-/);
    // A script of another program is a file in the container.
    await executor.detachExec("left", { run: "#!/bin/sh -e\necho $A > /tmp/script", env: { A: "2" } });
    for (const [process, error] of [
      [{ command: ["/none"] }, { kind: "command-not-found" }],
      [
        { run: "true", timeoutMs: 1 },
        { kind: "refused", message: expect.stringMatching(/^timeoutMs: /) },
      ],
      [{ run: "true", memory: "1m" }, { kind: "invalid-step" }],
    ] as const)
      await expect(executor.detachExec(id, process as never)).rejects.toMatchObject(error);
    await expect(executor.detachExec("none", { run: "true" })).rejects.toMatchObject({
      kind: "invalid-argument",
    });
  }
  await using executor = open();
  const script = await executor.exec(id, {
    run: "until [ -s /tmp/script ]; do sleep 0.05; done; touch /tmp/go; until [ -s /tmp/went ]; do sleep 0.05; done; cat /tmp/script /tmp/went",
  });
  expect((await script.result).stdout).toBe("2\n1\n");
});

test("reap ends one whose time is over, and leaves its output", async () => {
  const id = await detach("echo hello; exec sleep 1000", { timeoutMs: 100, stopGraceMs: 0 });
  await using executor = open();
  // Its time is over already, or soon. Only reap ends it for that.
  await printed(await executor.attach(id), "hello\n");
  await expect
    .poll(async () => (await reap(at.client, { ioDir: at.ioDir })).removed)
    .toMatchObject([{ kind: "process", stepId: id }]);
  await ended(id);
  expect(await (await executor.attach(id)).result).toMatchObject({ exitCode: 137, stdout: "hello\n" });
});

test("what cannot be left, followed or entered is refused, with a word on what can", async () => {
  await using executor = open();
  const step = { name: "left", image: "busybox", command: ["true"] };
  const cases: [() => Promise<unknown>, object][] = [
    [
      () => executor.detach({ ...step, retry: { attempts: 2 } }),
      { kind: "refused", message: expect.stringMatching(/^retry: .* detach/) },
    ],
    [
      () => executor.detach(step, { afterEnd: "stay" as never }),
      { kind: "invalid-argument", message: 'detach: afterEnd: "stay" is not allowed; allowed: keep, remove' },
    ],
    [() => executor.detach({ ...step, command: ["/none"] }), { kind: "command-not-found" }],
    [
      () => executor.attach("none"),
      { kind: "invalid-argument", message: expect.stringMatching(/^step: there is no step "none"/) },
    ],
    [() => executor.exec("none", { command: ["true"] }), { kind: "invalid-argument" }],
  ];
  for (const [call, error] of cases) await expect(call()).rejects.toMatchObject(error);
  await using pipes = createExecutor({ client: at.client, ioDir: at.ioDir, ioMode: "fifo" });
  await expect(pipes.detach(step)).rejects.toMatchObject({ kind: "refused" });
  await using piped = pipes.start({ ...step, command: ["sleep", "1000"], stopSignal: "KILL" });
  await piped.started;
  const followed = await executor.attach(piped.id);
  await expect(followed.result).rejects.toMatchObject({ kind: "refused" });
  const entered = await executor.exec(piped.id, { command: ["echo", "hello"] });
  expect(await entered.result).toMatchObject({ cause: "exit", exitCode: 0, stdout: "hello\n" });
});

test("the output of a step with secrets is masked, or not shown", async () => {
  const id = await detach(
    "cat /run/secrets/token; exec sleep 1000",
    { secrets: [{ name: "token" }] },
    { secrets: { token: "letmein" } },
  );
  await using executor = open();
  await expect(executor.attach(id)).rejects.toMatchObject({
    kind: "refused",
    message: expect.stringContaining('secrets: { "token": "..." }'),
  });
  const secrets = { token: "letmein" };
  const process = await executor.exec(id, { command: ["cat", "/run/secrets/token"] }, { secrets });
  expect((await process.result).stdout).toBe("***");
  const handle = await executor.attach(id, { secrets });
  await printed(handle, "***");
  const texts = [];
  for await (const entry of handle.log.read({ follow: false }))
    texts.push("data" in entry ? Buffer.from(entry.data).toString() : "");
  expect(texts.join("")).toBe("***");
});

test("who follows a step gets its true end, also if the step is removed before the daemon is asked for its task", async () => {
  const id = await detach("echo on; exec sleep 1000", {}, { afterEnd: "remove" });
  made.pop();
  const removed = createDeferred<void>();
  let isKilled = false;
  await using client = createClient({
    address: at.daemon.address,
    namespace: at.client.namespace,
    interceptors: [
      (next) => async (request) => {
        // It knows the exit code by then.
        if (isKilled && request.service.typeName.endsWith(".Tasks") && request.method.name !== "Wait")
          await removed.promise;
        return next(request);
      },
    ],
  });
  await using executor = createExecutor({ client, ioDir: at.ioDir, reapIntervalMs: false });
  await using handle = await executor.attach(id);
  await handle.started;
  await printed(handle, "on\n");
  const end = ended(id);
  isKilled = true;
  await at.client.tasks.kill(id, "KILL");
  await end;
  await removeStep(at.client, id);
  removed.resolve();
  expect(await handle.result).toMatchObject({ cause: "signal", exitCode: 137, stdout: "on\n" });
});
