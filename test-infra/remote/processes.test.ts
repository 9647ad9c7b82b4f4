import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { createExecutor, listSteps, removeStep, type StepInput } from "@wfe-containerd/executor";
import { expect, test } from "vitest";
import { useRemoteDaemon } from "./use-remote-daemon.js";

const at = useRemoteDaemon();

const open = () => createExecutor({ client: at.client, ioDir: at.ioDir, reapIntervalMs: false });

const step = (fields: Partial<StepInput>): StepInput =>
  ({ name: "there", image: "busybox", ...fields }) as StepInput;

/** Prints, waits for a file, which is made while the connection is cut, and prints on. */
const WAITS = "echo one; until [ -e /tmp/go ]; do sleep 0.05; done; echo two; exit 4";
const GO = { command: ["touch", "/tmp/go"], user: "0" };
const WHOLE = { cause: "exit", exitCode: 4, stdout: "one\ntwo\n", log: { complete: true, gaps: [] } };

test("a further process in a step there outlives the connection, too, and reads its input", async () => {
  const before = await at.inventory();
  await using executor = open();
  // It ends after the further process, which would end with it.
  await using host = executor.start(step({ run: WAITS.replace("/tmp/go", "/tmp/last") }));
  await host.started;
  const script = "cat; until [ -e /tmp/go ]; do sleep 0.05; done; echo two; echo err >&2; exit 4";
  await using process = host.exec({ run: script, stdin: "one\n" });
  for await (const event of process) if (event.type === "output") break;
  at.daemon.cut();
  await using go = host.exec(GO);
  expect(await go.result).toMatchObject({ cause: "exit", exitCode: 0 });
  expect(await process.result).toMatchObject({ ...WHOLE, stderr: "err\n" });
  await using last = host.exec({ command: ["touch", "/tmp/last"], user: "0" });
  expect(await host.result).toMatchObject(WHOLE);
  for (const { closed } of [process, go, last, host]) await closed;
  await executor.close();
  await at.expectNothingLeft(before);
});

test("a step there reads its input to the end, of which it may need only a part", async () => {
  const before = await at.inventory();
  await using executor = open();
  const bytes = randomBytes(3_000_000);
  const hash = createHash("sha256").update(bytes).digest("hex");
  const chunks = Array.from({ length: 30 }, (_, part) =>
    bytes.subarray(part * 100_000, (part + 1) * 100_000),
  );
  const count = step({ command: ["sha256sum"], retry: { attempts: 2 } });
  expect(await executor.run(count, { stdin: bytes })).toMatchObject({ stdout: `${hash}  -\n` });
  const { retry: _, ...once } = count;
  const stdin = Readable.from(chunks);
  await using handle = executor.start(once, { stdin });
  await handle.started;
  at.daemon.cut();
  expect(await handle.result).toMatchObject({ stdout: `${hash}  -\n` });
  const first = await executor.run(step({ command: ["head", "-c", "4"] }), { stdin: "only a part" });
  expect(first).toMatchObject({ cause: "exit", exitCode: 0, stdout: "only" });
  // Without input there is an end, too.
  expect(await executor.run(step({ command: ["cat"] }), { stdin: "" })).toMatchObject({ stdout: "" });
  await handle.closed;
  await executor.close();
  await at.expectNothingLeft(before);
});

test("nothing runs there if its input fails, or is not waited for any more", async () => {
  const before = await at.inventory();
  await using executor = open();
  async function* broken() {
    yield "half";
    throw new Error("the disk was pulled out");
  }
  await expect(executor.run(step({ command: ["cat"] }), { stdin: broken() })).rejects.toMatchObject({
    kind: "io",
    message: expect.stringContaining("stdin: could not be read to its end: the disk was pulled out"),
  });
  const endless = new Readable({ read: () => undefined });
  await using waiting = executor.start(step({ command: ["cat"] }), { stdin: endless });
  for await (const event of waiting) if (event.type === "phase" && event.phase === "preparing") break;
  waiting.stop();
  await expect(waiting.result).rejects.toMatchObject({ kind: "aborted" });
  await waiting.closed;
  expect(endless.destroyed).toBe(true);
  await executor.close();
  await at.expectNothingLeft(before);
});

test("what needs named pipes is refused there at once, and says what to do instead", async () => {
  const before = await at.inventory();
  await using executor = open();
  const terminal = { columns: 80, rows: 24 };
  const refusal = (field: string, allowed: RegExp) => ({
    kind: "refused",
    issues: [
      {
        field,
        message: expect.stringContaining("is on another machine"),
        allowed: expect.stringMatching(allowed),
      },
    ],
  });
  const noTerminal = refusal("terminal", /without a terminal, whose input is a file or a pipe/);
  await expect(executor.run(step({ command: ["sh"] }), { terminal })).rejects.toMatchObject(noTerminal);
  await expect(executor.run(step({ command: ["sh"] }), { terminal, stdin: "id\n" })).rejects.toMatchObject(
    noTerminal,
  );
  const noOpenInput = refusal("stdin", /input that has an end/);
  await expect(executor.detach(step({ command: ["cat"] }), { openStdin: true })).rejects.toMatchObject(
    noOpenInput,
  );
  await using kept = executor.start(step({ command: ["cat"] }), { canLeave: true, stdin: "x" });
  await expect(kept.result).rejects.toMatchObject(noOpenInput);
  await using host = executor.start(step({ command: ["sleep", "1000"], stopSignal: "KILL" }));
  await host.started;
  await using process = host.exec({ command: ["sh"], terminal });
  await expect(process.result).rejects.toMatchObject(noTerminal);
  await process.closed;
  await host[Symbol.asyncDispose]();
  await executor.close();
  await at.expectNothingLeft(before);
});

test("a step there that is left goes on without its executor, and is followed by another", async () => {
  const before = await at.inventory();
  let id: string;
  {
    await using executor = open();
    id = await executor.detach(step({ command: ["sh", "-c", WAITS] }));
  }
  await using executor = open();
  const handle = await executor.attach(id);
  for await (const event of handle) if (event.type === "output") break;
  at.daemon.cut();
  await executor.detachExec(id, { command: ["sh", "-c", "echo lost; touch /tmp/go"], user: "0" });
  expect(await handle.result).toMatchObject(WHOLE);
  expect(await listSteps(at.client)).toMatchObject([
    { id, status: "stopped", exitCode: 4, executor: "left" },
  ]);
  const late = await executor.attach("there");
  expect(await late.result).toMatchObject(WHOLE);
  await removeStep(at.client, id);
  await executor.close();
  await at.expectNothingLeft(before);
});
