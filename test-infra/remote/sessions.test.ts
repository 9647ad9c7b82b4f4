import { randomBytes } from "node:crypto";
import { buffer, text } from "node:stream/consumers";
import { createExecutor } from "@wfe-containerd/executor";
import { buildImage, busyboxLayer, ociArchive } from "@wfe-containerd/test-infra/images";
import { pack } from "tar-stream";
import { expect, test } from "vitest";
import { once } from "../daemon/daemon.js";
import { useRemoteDaemon } from "./use-remote-daemon.js";

const at = useRemoteDaemon();

/** Its reaper could remove what a test looks at. */
const open = () => createExecutor({ client: at.client, ioDir: at.ioDir, reapIntervalMs: false });

/** Prints, is cut off its executor meanwhile, and prints on. */
const CUT = { run: "echo one; until [ -e /tmp/go ]; do sleep 0.05; done; echo two; exit 4" };
const GO = { command: ["touch", "/tmp/go"] };

test("steps in a session there outlive the connection to its daemon, and so does the session", async () => {
  const before = await at.inventory();
  await using executor = open();
  await using session = await executor.open({ name: "agent", image: "busybox" });
  const steps = [session.start(CUT), session.start(CUT)];
  for (const step of steps) {
    for await (const event of step) if (event.type === "output") break;
  }
  at.daemon.cut();
  expect(await session.run(GO)).toMatchObject({ cause: "exit", exitCode: 0 });
  for (const step of steps) {
    expect(await step.result).toMatchObject({
      cause: "exit",
      exitCode: 4,
      stdout: "one\ntwo\n",
      log: { gaps: [] },
    });
    await step[Symbol.asyncDispose]();
  }
  at.daemon.cut();
  expect(await session.close()).toEqual({ reason: "closed", unreleased: [] });
  await executor.close();
  await at.expectNothingLeft(before);
});

test("an image without a shell is enough for a session there, and files get in and out", async () => {
  const before = await at.inventory();
  const busybox = (await busyboxLayer()).find(({ path }) => path === "bin/busybox");
  // The program knows by its name what it is.
  const layers = [[{ path: "bin/" }, { ...busybox, path: "bin/cat" }]];
  const image = "registry.test/without-a-shell:1";
  await at.client.images.import(once(await ociArchive(await buildImage({ layers }))), { name: image });
  await using executor = open();
  await using session = await executor.open({ name: "bare", image });
  await session.files.write(await archive("sub/file", "from here\n"), { path: "/work" });
  at.daemon.cut();
  expect(await session.run({ command: ["/bin/cat", "/work/sub/file"] })).toMatchObject({
    cause: "exit",
    exitCode: 0,
    stdout: "from here\n",
  });
  expect(await text(session.files.read("/work/sub/file"))).toBe("from here\n");
  await expect(text(session.files.read("/work/none"))).rejects.toMatchObject({
    kind: "refused",
    message: expect.stringContaining("/work/none does not exist"),
  });
  await session.close();
  await executor.close();
  await at.client.images.remove(image);
  await at.expectNothingLeft(before);
});

test("a large file gets in and out of a session there whole, though the connection is cut meanwhile", async () => {
  await using executor = open();
  await using session = await executor.open({ name: "files", image: "busybox" });
  const bytes = randomBytes(16 * 1024 * 1024);
  async function* cutInside(archived: Buffer): AsyncGenerator<Uint8Array> {
    yield archived.subarray(0, 1024 * 1024);
    at.daemon.cut();
    yield archived.subarray(1024 * 1024);
  }
  await session.files.write(cutInside(await archive("large", bytes)), { path: "/tmp" });
  const chunks: Uint8Array[] = [];
  for await (const chunk of session.files.read("/tmp/large")) {
    if (chunks.length === 0) at.daemon.cut();
    chunks.push(chunk);
  }
  expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
});

test("a snapshot of a session there is what others start from", async () => {
  const before = await at.inventory();
  await using executor = open();
  {
    await using session = await executor.open({ name: "prepare", image: "busybox", user: "0" });
    await session.run({ run: "echo kept > /kept; rm /bin/more" });
    const taking = session.snapshot("prepared");
    at.daemon.cut();
    expect(await taking).toMatchObject({ name: "prepared" });
    expect(await session.run({ run: "cat /kept" })).toMatchObject({ cause: "exit", stdout: "kept\n" });
  }
  {
    await using fork = await executor.open({ name: "fork", from: "prepared" });
    const { stdout } = await fork.run({ run: "cat /kept; test -e /bin/more || echo gone" });
    expect(stdout).toBe("kept\ngone\n");
  }
  await executor.removeSnapshot("prepared");
  await executor.close();
  await at.expectNothingLeft(before);
});

test("a session there is left, and connected to", async () => {
  const before = await at.inventory();
  {
    await using executor = open();
    await using opened = await executor.open({ name: "left", image: "busybox" }, { detached: true });
    await opened.run({ run: "echo kept > /tmp/file" });
  }
  await using executor = open();
  expect(await executor.sessions()).toMatchObject([{ name: "left", status: "running", executor: "left" }]);
  await using session = await executor.connect("left", { lifetimeMs: 3_600_000 });
  at.daemon.cut();
  expect(await session.run({ command: ["cat", "/tmp/file"] })).toMatchObject({ stdout: "kept\n" });
  await session.pause();
  await session.resume();
  expect(await session.close()).toEqual({ reason: "closed", unreleased: [] });
  await executor.close();
  await at.expectNothingLeft(before);
});

test("steps of a session there have secrets of their own", async () => {
  await using executor = open();
  await using session = await executor.open({ name: "agent", image: "busybox" });
  const step = { run: "cat $WFE_SECRETS_DIR/key; stat -c %a $WFE_SECRETS_DIR/key", secrets: ["key"] };
  const { stdout } = await session.run(step, { secrets: { key: "canary-of-a-step" } });
  expect(stdout).toBe("***400\n");
  expect((await session.run({ run: "ls -A /.wfe-secrets/*" })).stdout).not.toContain("key");
});

function archive(name: string, contents: string | Buffer): Promise<Buffer> {
  const tar = pack();
  tar.entry({ name }, contents);
  tar.finalize();
  return buffer(tar);
}
