import { execFile } from "node:child_process";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { type Client, createClient } from "@wfe-containerd/client";
import { createDeferred } from "@wfe-containerd/client/internal";
import {
  createExecutor,
  type OpenOptions,
  removeVolume,
  type Session,
  type SessionInput,
} from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { createRuncStandIn } from "@wfe-containerd/test-infra/daemon/runc-stand-in";
import { buildImage, busyboxLayer, ociArchive } from "@wfe-containerd/test-infra/images";
import { pack } from "tar-stream";
import { afterAll, afterEach, describe, expect, test } from "vitest";

const runc = await createRuncStandIn();
const at = useDaemon({ binDir: runc.binDir });
afterEach(() => runc.heal());
afterAll(() => runc[Symbol.asyncDispose]());

async function withSession<T>(
  use: (session: Session) => Promise<T>,
  fields: Partial<SessionInput> = {},
  options: OpenOptions = {},
  client = at.client,
): Promise<T> {
  await using executor = createExecutor({ client, ioDir: at.ioDir });
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
      expect(await session.run({ run: "id -u; env", user: "0" })).toMatchObject({
        name: "job",
        cause: "exit",
        exitCode: 0,
      });
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
    // The most that the policy allows.
    const graceMs = 60_000;
    const polite = session.start({
      run: "trap 'exit 5' TERM; echo on; while :; do sleep 0.05; done",
      stopGraceMs: graceMs,
    });
    for await (const event of polite) if (event.type === "output") break;
    expect(await session.close({ graceMs })).toEqual({ reason: "closed", unreleased: [] });
    expect(await polite.result).toMatchObject({ cause: "aborted", exitCode: 5 });
    await expect(session.run({ command: ["true"] })).rejects.toMatchObject({
      kind: "refused",
      message: expect.stringContaining("the session has ended"),
    });
    await polite[Symbol.asyncDispose]();
  });

  test("by SIGTERM from outside, which its steps get, as any other signal; none from inside does that", async () => {
    await withSession(async (session) => {
      // The signal also ends sleep.
      const script = "trap 'echo usr1' USR1; trap 'exit 5' TERM; echo on; while :; do sleep 0.05 || :; done";
      await using step = session.start({ run: script });
      const lines = step.log.lines({ follow: true })[Symbol.asyncIterator]();
      const printed = async (text: string): Promise<void> => {
        for (;;) {
          const { value, done } = await lines.next();
          if (value?.text === text) return;
          if (done) throw new Error(`the step has ended without printing ${text}`);
        }
      };
      await printed("on");
      expect(await session.run({ run: "kill -TERM 1; kill -HUP 1" })).toMatchObject({ exitCode: 0 });
      await at.client.tasks.kill(session.id, "SIGUSR1");
      await printed("usr1");
      expect(await session.run({ command: ["true"] })).toMatchObject({ exitCode: 0 });
      await at.client.tasks.kill(session.id, "SIGTERM");
      expect(await step.result).toMatchObject({ cause: "exit", exitCode: 5 });
      expect(await session.ended).toMatchObject({ reason: "signal", unreleased: [] });
    });
  });

  test("when what its steps have left in the background has ended, and without that at once", async () => {
    const directory = await mkdtemp(join(at.daemon.directory, "told-"));
    await chmod(directory, 0o777);
    const policy = { mountSources: [at.daemon.directory] };
    const volumes = [{ source: directory, target: "/told" }];
    const background =
      "(trap 'sleep 0.3; echo asked > /told/file; exit' TERM; touch /told/on; while :; do sleep 0.05; done) > /dev/null 2>&1 & while [ ! -e /told/on ]; do sleep 0.05; done";
    await using executor = createExecutor({ client: at.client, ioDir: at.ioDir, policy });
    const own = await executor.open({ name: "own", image: "busybox", volumes });
    await own.run({ run: background });
    await own.close({ graceMs: 60_000 });
    expect(await readFile(join(directory, "file"), "utf8")).toBe("asked\n");
    await rm(join(directory, "file"));
    await rm(join(directory, "on"));

    const opener = await executor.open({ name: "other", image: "busybox", volumes }, { detached: true });
    await opener.run({ run: background });
    await opener.close({ graceMs: 60_000 });
    expect(await readFile(join(directory, "file"), "utf8")).toBe("asked\n");

    const stubborn = await executor.open({ name: "stubborn", image: "busybox" });
    await stubborn.run({ run: "(trap '' TERM; sleep 1000) > /dev/null 2>&1 &" });
    expect(await stubborn.close({ graceMs: 100 })).toEqual({ reason: "closed", unreleased: [] });
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

  test("when its process 1 is killed, and its steps say so, even if that is told late", async () => {
    const known = createDeferred<void>();
    await using client = clientThat({
      async after(method, { execId }) {
        if (method === "Tasks.Wait" && execId === "") await known.promise;
      },
    });
    await withSession(
      async (session) => {
        await using step = session.start({ command: ["sleep", "1000"] });
        await step.started;
        await at.client.tasks.kill(session.id, "SIGKILL");
        const { cause, exitCode } = await step.result.finally(known.resolve);
        expect({ cause, exitCode }).toEqual({ cause: "container-ended", exitCode: 137 });
        expect(await session.ended).toMatchObject({ reason: "signal", unreleased: [] });
      },
      {},
      {},
      client,
    );
  });

  test("when it is idle, or old, unless that is put off", async () => {
    await withSession(
      async (session) => {
        expect(await session.run({ command: ["sleep", "0.5"] })).toMatchObject({
          cause: "exit",
          exitCode: 0,
        });
        expect(await session.ended).toMatchObject({ reason: "idle", unreleased: [] });
      },
      {},
      { idleTimeoutMs: 300 },
    );
    await withSession(
      async (session) => {
        await session.extend({ lifetimeMs: 3_600_000 });
        // Longer than the time that it had.
        expect(await session.run({ command: ["sleep", "0.5"] })).toMatchObject({
          cause: "exit",
          exitCode: 0,
        });
        await using step = session.start({ command: ["sleep", "1000"] });
        await step.started;
        await session.extend({ lifetimeMs: 1 });
        expect(await session.ended).toMatchObject({ reason: "lifetime" });
        expect((await step.result).cause).toMatch(/^(container-ended|aborted)$/);
      },
      {},
      { lifetimeMs: 400 },
    );
  });

  test("not by drain(), which waits for it", async () => {
    await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
    const detached = await executor.open({ name: "left", image: "busybox" }, { detached: true });
    const session = await executor.open({ name: "job", image: "busybox" });
    let isDrained = false;
    const drained = executor.drain().finally(() => {
      isDrained = true;
    });
    expect(await session.run({ command: ["true"] })).toMatchObject({ exitCode: 0 });
    expect(isDrained).toBe(false);
    await session.close();
    expect(await drained).toEqual({ unreleased: [] });
    expect(await detached.run({ command: ["true"] })).toMatchObject({ exitCode: 0 });
    await detached.close();
  });

  test("not when a step begins while it looks whether it is idle", async () => {
    const [asked, begun] = [createDeferred<void>(), createDeferred<void>()];
    // Only who looks whether others use it asks for its container.
    await using client = clientThat({
      async before(method) {
        if (method !== "Containers.Get") return;
        asked.resolve();
        await begun.promise;
      },
    });
    await withSession(
      async (session) => {
        await asked.promise;
        const step = session.start({ command: ["sleep", "0.5"] });
        begun.resolve();
        expect(await step.result).toMatchObject({ cause: "exit", exitCode: 0 });
        await step[Symbol.asyncDispose]();
        expect(await session.ended).toMatchObject({ reason: "idle", unreleased: [] });
      },
      {},
      { idleTimeoutMs: 300 },
      client,
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
    expect(await session.run({ command: ["true"] })).toMatchObject({ cause: "exit", exitCode: 0 });
    await session.pause();
    await step[Symbol.asyncDispose]();
  });
});

test("processes that are too busy to be frozen at once are frozen later", async () => {
  await withSession(async (session) => {
    // The text of runc, which has tried for a moment.
    await runc.before("pause", "echo 'unable to freeze' >&2; exit 1", 3);
    await session.pause();
    expect(await at.client.tasks.get(session.id)).toMatchObject({ status: "paused" });
    await session.resume();
    await runc.before("pause", "echo 'unable to freeze' >&2; exit 1", 3);
    expect(await session.run({ run: "#!/bin/sh\necho on" })).toMatchObject({ exitCode: 0, stdout: "on\n" });
    await runc.before("pause", "echo 'no such cgroup' >&2; exit 1");
    await expect(session.pause()).rejects.toThrow("no such cgroup");
  });
});

test("a session tells what happens until its container runs; a callback that fails leaves nothing", async () => {
  const before = await at.inventory();
  const told: string[] = [];
  const onEvent: OpenOptions["onEvent"] = (event) => {
    if (event.type === "phase") told.push(event.phase);
  };
  await withSession((session) => session.run({ command: ["true"] }), {}, { onEvent });
  expect(told).toEqual(["resolving", "preparing", "starting", "running"]);
  for (const phase of ["preparing", "running"]) {
    const failing: OpenOptions["onEvent"] = (event) => {
      if (event.type === "phase" && event.phase === phase) throw new Error(`not in ${phase}`);
    };
    await expect(withSession(async () => undefined, {}, { onEvent: failing })).rejects.toThrow(
      `not in ${phase}`,
    );
  }
  const absent = withSession(async () => undefined, { image: "absent", pull: "never" }, { onEvent });
  await expect(absent).rejects.toMatchObject({ kind: "image-not-found" });
  await at.expectNothingLeft(before);
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
      expect(await session.run({ command: ["true"] })).toMatchObject({ cause: "exit", exitCode: 0 });
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

describe("a snapshot of a session", () => {
  const IMAGE = "registry.test/prepared:1";

  test("is what other sessions start from, also without the image", async () => {
    const { client, ioDir } = at;
    const changed = ["kept", "gone", "sub/old"].map((name) => ({
      path: `data/${name}`,
      contents: "of the image",
      uid: 65534,
    }));
    const layers = [
      [...(await busyboxLayer())],
      [{ path: "data/", uid: 65534 }, { path: "data/sub/", uid: 65534 }, ...changed],
    ];
    const archive = await ociArchive(
      await buildImage({ layers, config: { Env: ["FROM=image"], WorkingDir: "/data", User: "7:7" } }),
      IMAGE,
    );
    await client.images.import(Readable.from([archive]), { name: IMAGE });
    await using executor = createExecutor({ client, ioDir, policy: { imageUser: true } });
    await using session = await executor.open({
      name: "job",
      image: IMAGE,
      tmpfs: ["/memory"],
      workingDir: "/data/work",
    });
    const work = await session.run({
      run: `rm ../gone; rm -r ../sub; mkdir ../sub; echo new > ../sub/new; echo changed > ../kept
        echo mine > own; ln own hard; ln -s own soft; mkfifo pipe; chmod 4750 own; echo lost > /memory/file`,
    });
    expect(work).toMatchObject({ cause: "exit", exitCode: 0, stderr: "", stdout: "" });
    // One that writes all the time: what is kept must be of one moment.
    const writer = session.start({
      run: "i=0; while :; do i=$((i+1)); echo $i >> a; echo $i >> b; echo $i; done",
    });
    for await (const event of writer) if (event.type === "output") break;
    const kept = await session.snapshot("prepared");
    expect(kept).toMatchObject({ name: "prepared", image: IMAGE, createdAt: expect.any(Date) });
    expect(await executor.snapshots()).toEqual([kept]);
    writer.stop();
    await writer[Symbol.asyncDispose]();
    const later = await session.run({ run: "echo later > later; rm own; cat later" });
    expect(later).toMatchObject({ cause: "exit", exitCode: 0, stdout: "later\n", stderr: "" });
    await session.close();
    await client.images.remove(IMAGE, { sync: true });
    const open = () =>
      executor.open({ name: "fork", from: "prepared", user: "image", workingDir: "/data/work" });
    await using first = await open();
    await using second = await open();
    await first.run({ run: "echo first > own; rm -r /data/sub", user: "0" });
    const { stdout } = await second.run({
      run: `id -u; echo $FROM; cat ../kept own hard soft; ls -l own | cut -c1-10; ls ..; ls ../sub; ls /memory later 2>&1 || true
        test -p pipe; echo $(($(wc -l < a) - $(wc -l < b)))`,
      user: "65534",
    });
    const lines = [
      "65534",
      "image",
      "changed",
      "mine",
      "mine",
      "mine",
      "-rwsr-x---",
      "kept",
      "sub",
      "work",
      "new",
    ];
    expect(stdout).toMatch(
      new RegExp(`^${lines.join("\n")}\nls: later: No such file or directory\n/memory:\n[01]\n$`),
    );
    expect((await second.run({ command: ["id", "-u"] })).stdout).toBe("7\n");
    // Those that run keep what they need of it.
    await executor.removeSnapshot("prepared");
    expect(await executor.snapshots()).toEqual([]);
    await expect(open()).rejects.toMatchObject({ kind: "invalid-argument" });
    expect((await second.run({ command: ["cat", "own"], user: "0" })).stdout).toBe("mine\n");
  });

  test("can be that of a fork, take the place of its own start, and be of a paused session", async () => {
    const { client, ioDir } = at;
    await using executor = createExecutor({ client, ioDir });
    await withSession(
      async (session) => {
        await session.run({ run: "echo dev:x:1234:1234::/:/bin/sh >> /etc/passwd; echo 1 > /steps" });
        await session.pause();
        await session.snapshot("chain");
        expect(await client.tasks.get(session.id)).toMatchObject({ status: "paused" });
        await session.resume();
      },
      { user: "0" },
    );
    for (const step of [2, 3]) {
      await using fork = await executor.open({ name: "fork", from: "chain", user: "0" });
      await fork.run({ run: `echo ${step} >> /steps` });
      await fork.snapshot("chain", { replace: true });
    }
    await using last = await executor.open({ name: "last", from: "chain", user: "dev" });
    expect((await last.run({ run: "id -u; cat /steps" })).stdout).toBe("1234\n1\n2\n3\n");
    expect((await executor.snapshots()).map(({ name }) => name)).toEqual(["chain"]);
    await executor.removeSnapshot("chain");
  });

  test("has no secret, no script, and no link where the runtime mounts", async () => {
    const { client, ioDir, daemon } = at;
    await using executor = createExecutor({ client, ioDir });
    const marker = `marker-${process.pid}-of-a-secret`;
    const session = await executor.open(
      { name: "job", image: "busybox", user: "0", secrets: ["key"] },
      { secrets: { key: marker } },
    );
    const script = `#!/bin/sh\n# ${marker}\ncat /run/secrets/key > /memory; rm -f /etc/hosts; ln -s /proc/1/root /etc/hosts`;
    expect(await session.run({ run: script })).toMatchObject({ cause: "exit", exitCode: 0 });
    await session.run({ command: ["rm", "/memory"] });
    await session.snapshot("clean");
    await session.close();
    // Only then are the files of the session deleted.
    await client.leases.collectGarbage();
    const { stdout } = await promisify(execFile)("grep", ["-rlaF", marker, daemon.directory]).catch(
      (reason: { stdout: string }) => reason,
    );
    expect(stdout).toBe("");
    await using fork = await executor.open({ name: "fork", from: "clean" });
    const files = await fork.run({
      run: "ls -A / | grep wfe; ls -A /.wfe-script; test -e /run/secrets || echo none; cat /etc/hosts",
    });
    expect(files.stdout).toMatch(/^\.wfe-script\n\.wfe-secrets\nwait\nnone\n127\.0\.0\.1\s+localhost\n/);
    await executor.removeSnapshot("clean");
  });

  test("is refused in plain words, and then nothing is kept", async () => {
    const { client, ioDir } = at;
    await using executor = createExecutor({ client, ioDir, policy: { registries: ["registry.test"] } });
    const session = await withSession(async (open) => {
      await open.snapshot("taken");
      await expect(open.snapshot("taken")).rejects.toMatchObject({
        kind: "refused",
        message: "name: there is a snapshot taken already; allowed: another name, or replace: true",
      });
      await expect(open.snapshot("../x")).rejects.toMatchObject({ kind: "refused" });
      await expect(open.snapshot("x", { replaces: true } as never)).rejects.toMatchObject({
        message: expect.stringContaining('"replaces"; did you mean replace?'),
      });
      const broken = open.snapshot("broken");
      const [outcome] = await Promise.allSettled([broken, open.close()]);
      expect(outcome).toMatchObject({ status: "rejected", reason: { kind: "aborted" } });
      return open;
    });
    await expect(session.snapshot("late")).rejects.toMatchObject({ kind: "refused" });
    const open = (fields: object) => executor.open({ name: "fork", ...fields } as never);
    await expect(open({ from: "taken" })).rejects.toMatchObject({
      kind: "refused",
      message: expect.stringContaining("registries"),
    });
    await expect(open({ from: "absent" })).rejects.toMatchObject({
      kind: "invalid-argument",
      message: expect.stringMatching(/^snapshot absent does not exist in the namespace /),
    });
    await expect(open({ from: "taken", image: "busybox", tls: {} })).rejects.toMatchObject({
      kind: "invalid-step",
      message: expect.stringContaining(
        "image: cannot be used together with from; allowed: either an image or from",
      ),
    });
    for (const from of ["", "a b", 1, null])
      await expect(open({ from })).rejects.toMatchObject({ kind: "refused" });
    expect((await executor.snapshots()).map(({ name }) => name)).toEqual(["taken"]);
    await executor.removeSnapshot("taken");
    for (const name of ["taken", "absent"])
      await expect(executor.removeSnapshot(name)).rejects.toMatchObject({ kind: "invalid-argument" });
    await executor.close();
    await expect(executor.snapshots()).rejects.toMatchObject({ kind: "closed" });
  });
});

/** Connects to the daemon. Each call waits for these, which get the service and method, and the message. */
function clientThat({ before, after }: CallHooks): Client {
  return createClient({
    address: at.daemon.address,
    namespace: at.client.namespace,
    interceptors: [
      (next) => async (request) => {
        const method = `${request.service.typeName.split(".").at(-1)}.${request.method.name}`;
        const message = request.message as CallMessage;
        await before?.(method, message);
        const answer = await next(request);
        await after?.(method, message);
        return answer;
      },
    ],
  });
}

interface CallHooks {
  readonly before?: (method: string, message: CallMessage) => Promise<void>;
  readonly after?: (method: string, message: CallMessage) => Promise<void>;
}

interface CallMessage {
  readonly execId?: string;
}

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

describe("a session that goes on", () => {
  const open = () => createExecutor({ client: at.client, ioDir: at.ioDir });

  /** Opens one in an executor that is closed at once. */
  async function leaveSession(options: OpenOptions = {}, lifetimeMs?: number): Promise<string> {
    // Its own reaper could come first.
    await using executor = createExecutor({ client: at.client, ioDir: at.ioDir, reapIntervalMs: false });
    const opened = await executor.open({ name: "left", image: "busybox" }, { ...options, detached: true });
    await opened.run({ run: "echo kept > /tmp/file" });
    await opened.extend({ lifetimeMs });
    await opened.disconnect();
    expect(await opened.ended).toEqual({ reason: "disconnected", unreleased: [] });
    return opened.id;
  }

  test("is found, connected to by its name, let go of, and closed by another process", async () => {
    const before = await at.inventory();
    const id = await leaveSession();
    await using executor = open();
    expect(await executor.sessions()).toMatchObject([
      { id, name: "left", status: "running", executor: "left", image: expect.stringContaining("busybox") },
    ]);
    {
      await using session = await executor.connect("left");
      expect((await session.run({ command: ["cat", "/tmp/file"] })).stdout).toBe("kept\n");
      await session.files.write(await archive({ name: "added", contents: Buffer.from("more") }), {
        path: "/tmp",
      });
    }
    for await (const step of executor.recover()) expect(step.id).toBe("");
    await executor.reap();
    const session = await executor.connect(id);
    expect((await bytesOf(session, "/tmp/added")).toString()).toBe("more");
    expect(await session.close()).toEqual({ reason: "closed", unreleased: [] });
    expect(await executor.sessions()).toEqual([]);
    await executor.close();
    await at.expectNothingLeft(before);
  });

  test("is used by several at once; who lets go ends only its own steps", async () => {
    await using executor = open();
    await using owner = await executor.open({ name: "shared", image: "busybox" });
    await expect(owner.disconnect()).rejects.toMatchObject({ kind: "refused" });
    const connected = await executor.connect(owner.id);
    const theirs = connected.start({ run: "sleep 1000", stopSignal: "KILL" });
    await theirs.started;
    // It has the arguments of runc until it becomes its own program.
    const isSeen = "until ps | grep -q '[s]leep 1000'; do sleep 0.05; done";
    const seen = await owner.run({ run: isSeen, timeoutMs: 100_000 });
    expect(seen).toMatchObject({ cause: "exit", exitCode: 0 });
    await connected.disconnect();
    expect(await theirs.result).toMatchObject({ cause: "aborted" });
    expect(await owner.run({ command: ["true"] })).toMatchObject({ cause: "exit", exitCode: 0 });
    {
      const closed = open();
      const gone = await closed.connect(owner.id);
      await closed.drain();
      await closed.close();
      expect(await gone.ended).toEqual({ reason: "disconnected", unreleased: [] });
      expect(await owner.run({ command: ["true"] })).toMatchObject({ cause: "exit", exitCode: 0 });
    }
    const again = await executor.connect(owner.id);
    await owner.close();
    expect(await again.ended).toMatchObject({ unreleased: [] });
    await expect(executor.connect(owner.id)).rejects.toMatchObject({ kind: "invalid-argument" });
  });

  test("is not idle while another process uses it", async () => {
    await using executor = open();
    await using owner = await executor.open({ name: "idle", image: "busybox" });
    await using connected = await executor.connect(owner.id);
    await using long = connected.start({ command: ["sleep", "4"] });
    await long.started;
    await owner.extend({ idleTimeoutMs: 1_500 });
    expect(await long.result).toMatchObject({ cause: "exit", exitCode: 0 });
    expect(await owner.ended).toMatchObject({ reason: "idle" });
  });

  test("ends when its time is over, by whoever reaps, and leaves nothing", async () => {
    const before = await at.inventory();
    const id = await leaveSession({}, 1);
    // Its own reaper could come first.
    await using executor = createExecutor({ client: at.client, ioDir: at.ioDir, reapIntervalMs: false });
    await expect
      .poll(async () => (await executor.reap()).removed)
      .toContainEqual(expect.objectContaining({ kind: "process", stepId: id }));
    await expect.poll(async () => (await executor.reap(), executor.sessions())).toEqual([]);
    await executor.close();
    await at.expectNothingLeft(before);
  });

  /** What the container's record says. */
  async function recordOf(id: string): Promise<Record<string, unknown> & { deadline: { daemonMs: number } }> {
    const { extensions } = await at.client.containers.get(id);
    return JSON.parse(new TextDecoder().decode(extensions["wfe-containerd.step"]?.value));
  }

  /** Expects that a session's life time was counted anew by this. Both clocks are this machine's. */
  async function expectLifetime<T>(id: (result: T) => string, timeMs: number, count: () => Promise<T>) {
    const earliest = Date.now() + timeMs;
    const result = await count();
    const latest = Date.now() + timeMs;
    const { deadline, ...record } = await recordOf(id(result));
    expect(deadline.daemonMs).toBeGreaterThanOrEqual(earliest);
    expect(deadline.daemonMs).toBeLessThanOrEqual(latest);
    return { result, record };
  }

  test("lives as long as it was told last, also when nobody is there", async () => {
    const before = await at.inventory();
    const HOUR_MS = 3_600_000;
    await using executor = createExecutor({ client: at.client, ioDir: at.ioDir, reapIntervalMs: false });
    const opened = await expectLifetime(
      ({ id }: Session) => id,
      HOUR_MS,
      () => executor.open({ name: "left", image: "busybox" }, { detached: true, lifetimeMs: HOUR_MS }),
    );
    const { id } = opened.result;
    const extended = await expectLifetime(
      () => id,
      2 * HOUR_MS,
      () => opened.result.extend({ lifetimeMs: 2 * HOUR_MS }),
    );
    expect(extended.record).toEqual(opened.record);
    await opened.result.extend({ idleTimeoutMs: HOUR_MS, lifetimeMs: 1 });
    await opened.result.disconnect();
    await expect
      .poll(async () => (await executor.reap({ dryRun: true })).removed)
      .toContainEqual(expect.objectContaining({ kind: "process", stepId: id }));
    const { result: session } = await expectLifetime(
      () => id,
      HOUR_MS,
      () => executor.connect(id, { lifetimeMs: HOUR_MS }),
    );
    expect(await executor.reap()).toEqual({ removed: [], failed: [] });
    expect(await session.run({ command: ["true"] })).toMatchObject({ cause: "exit", exitCode: 0 });
    await session.extend({ lifetimeMs: 1 });
    expect(await session.ended).toEqual({ reason: "lifetime", unreleased: [] });
    await session.close();
    await expect(session.extend({ lifetimeMs: 1 })).rejects.toMatchObject({
      kind: "refused",
      message: expect.stringContaining("the session has ended"),
    });
    await executor.close();
    await at.expectNothingLeft(before);
  });

  test("is not ended by a process that does not know how long another one lets it live", async () => {
    const [extended, looked] = [createDeferred<void>(), createDeferred<void>()];
    let [isOpen, isExtended] = [false, false];
    await using client = clientThat({
      async after(method) {
        if (isOpen && method === "Containers.Update") await extended.promise;
        // To learn the daemon's time, it makes a lease.
        if (isExtended && method === "Leases.Delete") looked.resolve();
      },
    });
    await using executor = createExecutor({ client, ioDir: at.ioDir, reapIntervalMs: false });
    const opened = await executor.open({ name: "left", image: "busybox" }, { detached: true });
    isOpen = true;
    const soon = opened.extend({ lifetimeMs: 1 });
    await using other = open();
    await expect.poll(async () => (await recordOf(opened.id)).deadline).toBeDefined();
    await using session = await other.connect(opened.id, { lifetimeMs: 3_600_000 });
    isExtended = true;
    extended.resolve();
    await soon;
    await looked.promise;
    expect(await opened.run({ command: ["true"] })).toMatchObject({ cause: "exit", exitCode: 0 });
    await session.close();
    expect(await opened.ended).toMatchObject({ unreleased: [] });
  });

  test("lives no longer than the policy allows", async () => {
    await using executor = createExecutor({
      client: at.client,
      ioDir: at.ioDir,
      reapIntervalMs: false,
      policy: { maximumTimeoutMs: 3_600_000 },
    });
    const session = await executor.open({ name: "left", image: "busybox" }, { detached: true });
    const { deadline } = await recordOf(session.id);
    const refused = {
      kind: "refused",
      issues: [{ field: "lifetimeMs" }],
      message: expect.stringMatching(
        /^lifetimeMs: 3600000 would end it more than 3600000 ms after its start/,
      ),
    };
    await expect(session.extend({ lifetimeMs: 3_600_000 })).rejects.toMatchObject(refused);
    await expect(executor.connect(session.id, { lifetimeMs: 3_600_000 })).rejects.toMatchObject(refused);
    expect((await recordOf(session.id)).deadline).toEqual(deadline);
    expect(await session.close()).toEqual({ reason: "closed", unreleased: [] });
  });

  test("that does not exist is refused", async () => {
    await using executor = open();
    await expect(executor.connect("none")).rejects.toMatchObject({ kind: "invalid-argument" });
    await using step = executor.start({
      name: "step",
      image: "busybox",
      command: ["sleep", "1000"],
      stopSignal: "KILL",
    });
    await step.started;
    await expect(executor.connect(step.id)).rejects.toMatchObject({
      kind: "refused",
      message: expect.stringMatching(/^session: wfe-\w+ is a step, and no session; allowed:/),
    });
    expect(await executor.sessions()).toEqual([]);
    await expect(executor.connect("none", { idleTimeoutMs: 0 })).rejects.toMatchObject({
      kind: "invalid-argument",
    });
  });
});
