import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createExecutor } from "@wfe-containerd/executor";
import { useRemoteDaemon } from "@wfe-containerd/test-infra/remote/use-remote-daemon";
import { afterEach, expect, test } from "vitest";
import { call, start, type Told, told } from "./command.js";

const at = useRemoteDaemon();

const to = (...args: string[]): string[] => [
  ...["--address", at.daemon.address, "--namespace", at.client.namespace],
  ...args,
];
const env = (): NodeJS.ProcessEnv => ({ WFE_IO_DIR: at.ioDir });
const cli = async (...args: string[]): Promise<Told> => told(await call(to(...args), { env: env() }));
const withInput = async (input: string | Uint8Array, ...args: string[]): Promise<Told> =>
  told(await call(to(...args), { env: env(), input }));

/** Prints, waits for a file, which is made while the connection is cut, and prints on. */
const WAITS = ["sh", "-c", "echo one; until [ -e /tmp/go ]; do sleep 0.05; done; echo two; exit 4"];

afterEach(async () => {
  const ids = (await cli("ps", "-aq")).stdout.split("\n").filter((id) => id !== "");
  if (ids.length > 0) await cli("rm", "-f", ...ids);
});

test("a step that is left there is followed, entered, read and removed, though the connection is cut", async () => {
  expect(await cli("run", "-d", "--name", "server", "busybox", ...WAITS)).toMatchObject({
    code: 0,
    stderr: "",
  });
  const [logs, attached] = [["logs", "-f"], ["attach"]].map((args) =>
    start(to(...args, "server"), { env: env() }),
  ) as [ReturnType<typeof start>, ReturnType<typeof start>];
  await logs.printed("one\n");
  at.daemon.cut();
  expect(await cli("exec", "-u", "0", "server", "touch", "/tmp/go")).toEqual({
    code: 0,
    stdout: "",
    stderr: "",
  });
  expect(told(await logs.finished)).toMatchObject({ code: 0, stdout: "one\ntwo\n" });
  expect((await attached.finished).code).toBe(4);
  expect(await cli("wait", "server")).toMatchObject({ stdout: "4\n" });
  expect(await cli("logs", "server")).toEqual({ code: 0, stdout: "one\ntwo\n", stderr: "" });
  expect((await cli("rm", "server")).code).toBe(0);
});

test("input that has an end gets there, byte for byte, in run, exec and cp; and files get back", async () => {
  const bytes = randomBytes(3_000_000);
  const hash = `${createHash("sha256").update(bytes).digest("hex")}  -\n`;
  expect(await withInput(bytes, "run", "-i", "busybox", "sha256sum")).toEqual({
    code: 0,
    stdout: hash,
    stderr: "",
  });
  await cli("run", "-d", "--name", "host", "busybox", "sleep", "1000");
  expect(await withInput(bytes, "exec", "-i", "host", "sha256sum")).toMatchObject({ code: 0, stdout: hash });
  expect(await withInput("detached", "exec", "-d", "host", "touch", "/tmp/left")).toMatchObject({ code: 0 });
  const directory = await mkdtemp(join(tmpdir(), "remote-cp-"));
  try {
    await writeFile(join(directory, "in"), bytes);
    expect(await cli("cp", join(directory, "in"), "host:/tmp/copied")).toMatchObject({ code: 0, stderr: "" });
    at.daemon.cut();
    expect(await cli("cp", "host:/tmp/copied", join(directory, "out"))).toMatchObject({
      code: 0,
      stderr: "",
    });
    expect((await readFile(join(directory, "out"))).equals(bytes)).toBe(true);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("a terminal is refused there, and the message says what to do instead", async () => {
  await cli("run", "-d", "--name", "host", "busybox", "sleep", "1000");
  for (const args of [
    ["run", "-t", "busybox"],
    ["exec", "-t", "host"],
  ])
    expect(await cli(...args, "sh")).toEqual({
      code: 125,
      stdout: "",
      stderr: expect.stringMatching(
        /^wfe-containerd: --tty: the daemon at tcp:\S+ is on another machine, and a terminal needs named pipes; allowed: a step or process without a terminal, whose input is a file or a pipe;.*\n$/,
      ),
    });
});

test("a step there whose command was killed is recovered, with its whole output", async () => {
  const { child, printed, finished } = start(to("run", "--name", "orphan", "busybox", ...WAITS), {
    env: env(),
  });
  await printed("one\n");
  child.kill("SIGKILL");
  await finished;
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir, reapIntervalMs: false });
  for await (const handle of executor.recover()) {
    await handle.started;
    at.daemon.cut();
    await using go = handle.exec({ command: ["touch", "/tmp/go"], user: "0" });
    await go.result;
    expect(await handle.result).toMatchObject({ name: "orphan", exitCode: 4, stdout: "one\ntwo\n" });
    await handle[Symbol.asyncDispose]();
  }
  expect((await cli("ps", "-aq")).stdout).toBe("");
});
