import { PassThrough } from "node:stream";
import { createExecutor, type ExecutorOptions, listSteps, reap, removeStep } from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { afterEach, expect, test } from "vitest";
import { printed } from "./printed.js";

const at = useDaemon();
const made: string[] = [];

afterEach(async () => {
  for (const id of made.splice(0)) await removeStep(at.client, id);
});

const open = (options: ExecutorOptions = {}) =>
  createExecutor({ client: at.client, ioDir: at.ioDir, ...options });

const step = (run: string) => ({ name: "left", image: "busybox", command: ["/bin/sh", "-c", run] });

test("whoever attaches writes into the input of a step that was left, which stays open", async () => {
  const before = await at.inventory();
  await using executor = open();
  const id = await executor.detach(step("read -r a; echo got $a; read -r b; echo got $b; exit 7"), {
    openStdin: true,
  });
  expect(await listSteps(at.client)).toMatchObject([{ id, openStdin: true, terminal: false }]);
  for (const word of ["one", "two"]) {
    await using handle = await executor.attach(id, { stdin: `${word}\n` });
    await printed(handle, `got ${word}\n`);
    if (word === "two")
      expect(await handle.result).toMatchObject({ exitCode: 7, stdout: "got one\ngot two\n" });
  }
  await removeStep(at.client, id);
  await executor.close();
  await at.expectNothingLeft(before);
});

test("a step that can be left goes on, and whoever attaches types into it", async () => {
  const before = await at.inventory();
  const stdin = new PassThrough();
  await using executor = open();
  const script = "read -r a; echo got $a; read -r b; echo got $b; exit 7";
  const handle = executor.start(step(script), { stdin, canLeave: true });
  stdin.write("one\n");
  await printed(handle, "got one\n");
  await handle.leave();
  await expect(handle.result).rejects.toMatchObject({ kind: "aborted" });
  expect(await handle.closed).toEqual({ unreleased: [] });
  expect(stdin.destroyed).toBe(true);
  await executor.close();

  const [left] = await listSteps(at.client);
  expect(left).toMatchObject({ executor: "left", status: "running", openStdin: true });
  await using other = open();
  await using attached = await other.attach(left?.id ?? "", { stdin: "two\n" });
  expect(await attached.result).toMatchObject({ exitCode: 7, stdout: "got one\ngot two\n" });
  await removeStep(at.client, attached.id);
  await other.close();
  await at.expectNothingLeft(before);
});

test("its terminal can be left, too, and has the size of whoever attaches", async () => {
  const stdin = new PassThrough();
  await using executor = open();
  const handle = executor.start(step("while read -r a; do stty size; done"), {
    stdin,
    terminal: { columns: 70, rows: 20 },
    canLeave: true,
  });
  made.push(handle.id);
  stdin.write("x\n");
  await printed(handle, "20 70\r\n");
  await handle.leave("remove");
  expect(await listSteps(at.client)).toMatchObject([{ id: handle.id, terminal: true, executor: "left" }]);

  const keys = new PassThrough();
  await using attached = await executor.attach(handle.id, { stdin: keys });
  await attached.resize({ columns: 90, rows: 30 });
  keys.write("x\n");
  await printed(attached, "30 90\r\n");
  // Ctrl-D, as somebody at a terminal types it.
  keys.write("\x04");
  expect(await attached.result).toMatchObject({ exitCode: 0 });
  await reap(at.client);
  expect(await listSteps(at.client)).toEqual([]);
  made.pop();
});

test("a source that fails is told, and the step goes on", async () => {
  await using executor = open();
  const id = await executor.detach(step("read -r a; echo got $a"), { openStdin: true });
  made.push(id);
  const failing = (async function* () {
    yield "begin ";
    throw new Error("no more");
  })();
  await using attached = await executor.attach(id, { stdin: failing });
  await expect(attached.result).rejects.toMatchObject({
    kind: "io",
    message: "stdin: could not be read to its end: no more",
  });
  await using other = await executor.attach(id, { stdin: "end\n" });
  expect(await other.result).toMatchObject({ exitCode: 0, stdout: "got begin end\n" });
});

test("what cannot be left, or takes no input, is refused", async () => {
  await using executor = open();
  await using handle = executor.start({ ...step("exec sleep 1000"), stopSignal: "KILL" });
  await handle.started;
  const refused = (field: string) => ({ kind: "refused", issues: [{ field }] });
  await expect(handle.leave()).rejects.toMatchObject(refused("leave"));
  await using added = handle.exec({ command: ["sleep", "1000"] });
  await expect(added.leave()).rejects.toMatchObject(refused("leave"));
  await expect(executor.attach(handle.id, { stdin: "x" })).rejects.toMatchObject(refused("stdin"));
  await expect(executor.attach(handle.id, { stdin: 1 as never })).rejects.toMatchObject({
    kind: "invalid-argument",
    message: expect.stringContaining("stdin: is number; allowed: text"),
  });
  const ended = executor.start(step("exit 3"), { canLeave: true });
  await expect(ended.leave("forget" as never)).rejects.toMatchObject({
    kind: "invalid-argument",
    message: 'leave: afterEnd: "forget" is not allowed; allowed: keep, remove',
  });
  expect(await ended.result).toMatchObject({ exitCode: 3 });
  await ended.closed;
  await expect(ended.leave()).rejects.toMatchObject({ kind: "refused" });
  await using piped = open({ ioMode: "fifo" });
  await expect(piped.start(step("true"), { canLeave: true }).result).rejects.toMatchObject(refused("ioMode"));
});
