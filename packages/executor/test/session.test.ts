import {
  createExecutor,
  type OpenOptions,
  removeVolume,
  type Session,
  type SessionInput,
} from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { pack } from "tar-stream";
import { describe, expect, test } from "vitest";

const at = useDaemon();

async function withSession<T>(
  use: (session: Session) => Promise<T>,
  fields: Partial<SessionInput> = {},
  options: OpenOptions = {},
): Promise<T> {
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
  await using session = await executor.open({ name: "job", image: "busybox", ...fields }, options);
  return await use(session);
}

test("the steps of a session share their files, and have all else for themselves", async () => {
  await withSession(
    async (session) => {
      expect(session).toMatchObject({ name: "job", id: expect.stringMatching(/^wfe-/) });
      const events: string[] = [];
      const first = await session.run(
        {
          name: "write",
          run: "echo hello > /tmp/greeting; echo $A $B; echo '##wfe[output key=value]'; exit 3",
          env: { B: "2" },
        },
        { onEvent: ({ type }) => void events.push(type) },
      );
      expect(first).toMatchObject({ name: "write", exitCode: 3, cause: "exit", unreleased: [] });
      expect([first.stdout.split("\n")[0], { ...first.outputs }]).toEqual(["1 2", { key: "value" }]);
      expect(events).toContain("output-value");
      const second = session.start(
        { name: "read", command: ["cat", "/tmp/greeting", "-"] },
        { stdin: "input" },
      );
      expect(await second.result).toMatchObject({ name: "read", exitCode: 0, stdout: "hello\ninput" });
      await second[Symbol.asyncDispose]();
      expect(await session.run({ run: "id -u; env", user: "0" })).toMatchObject({ name: "job", ok: true });
      expect(await session.run({ run: "sleep 1000", timeoutMs: 100 })).toMatchObject({ cause: "timeout" });
    },
    { env: { A: "1" } },
  );
});

test("process 1 of a session waits, reaps orphans, and gives root its capabilities", async () => {
  await withSession(async (session) => {
    expect((await session.run({ command: ["ps", "-o", "pid,args"] })).stdout).toMatch(
      /^ +1 \/\.wfe-script\/wait$/m,
    );
    await session.run({ run: "for i in 1 2 3; do (true &); done" });
    expect((await session.run({ run: "while ps -o stat | grep -q Z; do :; done; echo none" })).stdout).toBe(
      "none\n",
    );
    const capabilities = "grep -E 'Cap(Eff|Bnd)' /proc/self/status";
    expect((await session.run({ run: capabilities, user: "0" })).stdout).toMatch(
      /CapEff:\s+00000000a80425fb/,
    );
    expect((await session.run({ run: capabilities })).stdout).toMatch(/CapEff:\s+0000000000000000/);
  });
});

describe("a session ends", () => {
  test("by close(), with the steps that run in it", async () => {
    await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
    const session = await executor.open({ name: "job", image: "busybox" });
    const polite = session.start({ run: "trap 'exit 5' TERM; echo on; while :; do sleep 0.05; done" });
    for await (const event of polite) if (event.type === "output") break;
    expect(await session.close()).toEqual({ reason: "closed", unreleased: [] });
    expect(await polite.result).toMatchObject({ cause: "aborted", exitCode: 5 });
    await expect(session.run({ command: ["true"] })).rejects.toMatchObject({
      kind: "refused",
      message: expect.stringContaining("the session has ended"),
    });
    await polite[Symbol.asyncDispose]();
  });

  test("when its process 1 is killed, and its steps say so", async () => {
    await withSession(async (session) => {
      const step = session.start({ command: ["sleep", "1000"] });
      await step.started;
      await at.client.tasks.kill(session.id, "SIGKILL");
      expect(await step.result).toMatchObject({ cause: "container-ended", exitCode: 137 });
      expect(await session.ended).toMatchObject({ reason: "signal", unreleased: [] });
      await step[Symbol.asyncDispose]();
    });
  });

  test("when it is idle, or old, unless that is put off", async () => {
    await withSession(
      async (session) => {
        await session.run({ command: ["sleep", "0.5"] });
        expect(await session.ended).toMatchObject({ reason: "idle", unreleased: [] });
      },
      {},
      { idleTimeoutMs: 300 },
    );
    await withSession(
      async (session) => {
        const began = performance.now();
        session.extend({ lifetimeMs: 600 });
        const step = session.start({ command: ["sleep", "1000"] });
        expect(await session.ended).toMatchObject({ reason: "lifetime" });
        expect(performance.now() - began).toBeGreaterThan(500);
        expect((await step.result).cause).toMatch(/^(container-ended|aborted)$/);
        await step[Symbol.asyncDispose]();
      },
      {},
      { lifetimeMs: 400 },
    );
  });

  test("with its executor, and by its signal", async () => {
    const abort = new AbortController();
    await withSession(
      async (session) => {
        abort.abort();
        expect(await session.ended).toMatchObject({ reason: "aborted", unreleased: [] });
      },
      {},
      { signal: abort.signal },
    );
    const executor = createExecutor({ client: at.client, ioDir: at.ioDir });
    const session = await executor.open({ name: "job", image: "busybox" });
    await executor.close({ graceMs: 100 });
    expect(await session.ended).toMatchObject({ reason: "aborted" });
  });
});

test("a step that needs too much memory is killed, and the session goes on", async () => {
  await withSession(
    async (session) => {
      const result = await session.run({ run: "exec tail /dev/zero" });
      expect(result).toMatchObject({ cause: "oom", exitCode: 137, oomKills: 1 });
      expect(await session.run({ command: ["true"] })).toMatchObject({
        cause: "exit",
        exitCode: 0,
        oomKills: 0,
      });
    },
    { memory: "64m" },
  );
});

test("a fork bomb cannot leave its session, and ends with it", async () => {
  await withSession(
    async (session) => {
      const bomb = session.start({ run: "echo on; f() { f | f & }; f; sleep 1000" });
      for await (const event of bomb) if (event.type === "output") break;
      expect(await session.close({ graceMs: 200 })).toMatchObject({ reason: "closed", unreleased: [] });
      await bomb[Symbol.asyncDispose]();
    },
    { pidsLimit: 50 },
  );
});

test("a paused session takes no steps until it is resumed", async () => {
  await withSession(async (session) => {
    const step = session.start({ run: "echo on; read -r go; echo went" }, { stdin: "go\n" });
    await step.result;
    await session.pause();
    expect(await at.client.tasks.get(session.id)).toMatchObject({ status: "paused" });
    await expect(session.run({ command: ["true"] })).rejects.toMatchObject({
      message: "the session is paused; allowed: a process after resume()",
    });
    await session.resume();
    expect(await session.run({ command: ["true"] })).toMatchObject({ ok: true });
    await session.pause();
    await step[Symbol.asyncDispose]();
  });
});

test("what is wrong with a session is said", async () => {
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
  const open = (fields: object, options: object = {}) =>
    executor.open({ name: "job", image: "busybox", ...fields } as never, options as never);
  await expect(open({ run: "true" })).rejects.toMatchObject({
    kind: "invalid-step",
    message:
      "the session is not valid: run: belongs to a step of the session; allowed: run in session.run or session.start",
  });
  await expect(open({ timeout_ms: 1 })).rejects.toMatchObject({ kind: "invalid-step" });
  await expect(open({ image: "absent", pull: "never" })).rejects.toMatchObject({ kind: "image-not-found" });
  await expect(open({}, { idleTimeoutMs: 0 })).rejects.toMatchObject({ kind: "invalid-argument" });
  await expect(open({}, { idleTimeout: 1 })).rejects.toMatchObject({
    message: expect.stringContaining('unknown option "idleTimeout"; did you mean idleTimeoutMs?'),
  });
});

describe("the files of a session", () => {
  test("get in as the session's user's, and out", async () => {
    await withSession(async (session) => {
      const big = Buffer.alloc(3_000_000, "abcdefg");
      await session.files.write(
        await archive(
          { name: "dir", type: "directory", mode: 0o700 },
          { name: "dir/big", mode: 0o4755, contents: big },
          { name: "dir/link", type: "symlink", linkname: "big" },
        ),
        { path: "/work" },
      );
      const listing = await session.run({ run: "ls -ln /work/dir; cat /work/dir/link | wc -c" });
      expect(listing.stdout).toMatch(/-rwxr-xr-x\s+1 65534\s+65534\s+3000000 .* big/);
      expect(listing.stdout).toMatch(/link -> big\n3000000\n$/);
      expect((await bytesOf(session, "/work/dir/link")).equals(big)).toBe(true);
      expect((await bytesOf(session, "/etc/passwd")).toString()).toContain("root:");
    });
  });

  test("are refused, if a path or an archive is not what it should be", async () => {
    await withSession(async (session) => {
      for (const [path, problem] of [
        ["/absent", "does not exist"],
        ["/etc", "is not a regular file"],
        ["/dev/zero", "is not a regular file"],
        ["relative", "is not an absolute path"],
      ] as const)
        await expect(bytesOf(session, path)).rejects.toMatchObject({
          kind: "refused",
          message: expect.stringContaining(problem),
        });
      await expect(bytesOf(session, "/etc/passwd", 3)).rejects.toMatchObject({ kind: "refused" });
      for (const entry of [
        { name: "../up" },
        { name: "/etc/passwd" },
        { name: ".wh.etc" },
        { name: "link", type: "symlink", linkname: "/etc" },
        { name: "hard", type: "link", linkname: "etc/passwd" },
        { name: "device", type: "character-device", devmajor: 1, devminor: 5 },
        { name: ".wfe-script/wait" },
        { name: "proc/sys/kernel/core_pattern" },
      ] as EntryHeader[])
        await expect(session.files.write(await archive({ name: "ok" }, entry))).rejects.toMatchObject({
          kind: "refused",
          message: expect.stringMatching(/^archive: .*; allowed: /),
        });
      await expect(session.files.write(Buffer.from("no archive".repeat(100)))).rejects.toMatchObject({
        kind: "refused",
        message: expect.stringMatching(/^archive: cannot be read/),
      });
      const bomb = await archive({ name: "bomb", contents: Buffer.alloc(2000) });
      await expect(session.files.write(bomb, { maxBytes: 1000 })).rejects.toMatchObject({ kind: "refused" });
      await expect(session.files.write(bomb, { path: "/proc" })).rejects.toMatchObject({ kind: "refused" });
      expect((await session.run({ command: ["ls", "/ok", "/bomb"] })).exitCode).toBe(1);
      expect(await session.run({ command: ["true"] })).toMatchObject({ ok: true });
    });
  });

  test("stay inside of the container, whatever links a step has made", async () => {
    await withSession(
      async (session) => {
        await session.run({ run: "ln -s /../../../etc /out; ln -s /proc/1/root/tmp /tmp/self" });
        await session.files.write(await archive({ name: "out/wfe-escaped", contents: Buffer.from("in") }));
        expect((await session.run({ command: ["cat", "/etc/wfe-escaped"] })).stdout).toBe("in");
        expect((await bytesOf(session, "/out/wfe-escaped")).toString()).toBe("in");
      },
      { user: "0" },
    );
  });

  test("are not written where another container may make links", async () => {
    const { client, ioDir } = at;
    await using executor = createExecutor({ client, ioDir, policy: { volumes: "any" } });
    await using session = await executor.open({ name: "job", image: "busybox", caches: ["shared:/cache"] });
    await expect(session.files.write(await archive({ name: "a" }))).rejects.toMatchObject({
      kind: "refused",
      message: expect.stringContaining("volumes or caches"),
    });
    expect((await bytesOf(session, "/etc/passwd")).byteLength).toBeGreaterThan(0);
    await session.close();
    await removeVolume(client, "shared");
  });
});

type EntryHeader = Parameters<ReturnType<typeof pack>["entry"]>[0];

async function archive(...entries: (EntryHeader & { contents?: Buffer })[]): Promise<Buffer> {
  const tar = pack();
  for (const { contents = Buffer.alloc(0), ...header } of entries)
    if (header.type === undefined || header.type === "file") tar.entry(header, contents);
    else tar.entry(header);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function bytesOf(session: Session, path: string, maxBytes?: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of session.files.read(path, { maxBytes })) chunks.push(chunk);
  return Buffer.concat(chunks);
}
