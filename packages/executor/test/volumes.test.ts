import { ContainerdError } from "@wfe-containerd/client";
import {
  createExecutor,
  type ExecutorOptions,
  isExecutorError,
  listVolumes,
  openWorkspace,
  type Policy,
  pruneVolumes,
  removeVolume,
  type StepHandle,
  type StepInput,
} from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { afterEach, describe, expect, test } from "vitest";

const at = useDaemon();
const POLICY: Partial<Policy> = { volumes: "any" };

afterEach(async () => {
  for (const { name } of await listVolumes(at.client)) await removeVolume(at.client, name);
});

function executor(options: ExecutorOptions = {}) {
  return createExecutor({ client: at.client, ioDir: at.ioDir, policy: POLICY, ...options });
}

async function run(change: Partial<StepInput>, options?: ExecutorOptions) {
  const runner = executor(options);
  const step = { name: "keeps", image: "busybox", ...change } as StepInput;
  return runner.run(step).finally(() => runner.close());
}

const names = async (): Promise<string[]> => (await listVolumes(at.client)).map(({ name }) => name);

test("what one step leaves in a volume, the next one finds: over collections of garbage and the daemon's restart", async () => {
  const before = await at.inventory();
  const volumes = ["data:/data"];
  const first = await run({ volumes, run: "echo kept > /data/file; stat -c '%u:%g %a' /data" });
  expect(first).toMatchObject({ exitCode: 0, stdout: "65534:65534 755\n" });
  await at.client.leases.collectGarbage();
  at.daemon.kill("SIGKILL");
  await at.daemon.exited;
  await at.daemon.restart();
  const second = await run({
    volumes: [{ source: "data", target: "/other", readonly: true }],
    run: "cat /other/file; echo x > /other/file",
  });
  expect(second.stdout).toBe("kept\n");
  expect(second.stderr).toContain("Read-only file system");
  await removeVolume(at.client, "data");
  await at.expectNothingLeft(before);
});

test("a volume belongs to who used it first", async () => {
  expect(
    await run({ caches: ["npm:/npm"], user: "1000:7", run: "touch /npm/x; stat -c '%u:%g' /npm" }),
  ).toMatchObject({ stdout: "1000:7\n" });
  expect(await run({ caches: ["npm:/npm"], user: "0", run: "stat -c '%u:%g' /npm" })).toMatchObject({
    stdout: "1000:7\n",
  });
  expect(await listVolumes(at.client)).toMatchObject([{ name: "npm", kind: "cache", usedBy: [] }]);
});

test("many steps that want a new volume at once all get the same one", async () => {
  const runner = executor();
  const results = await Promise.all(
    Array.from({ length: 6 }, (_, index) =>
      runner.run({
        name: `writer-${index}`,
        image: "busybox",
        volumes: ["new:/new"],
        run: `echo ${index} > /new/${index}`,
      }),
    ),
  );
  expect(results.map(({ exitCode, stderr }) => ({ exitCode, stderr }))).toEqual(
    results.map(() => ({ exitCode: 0, stderr: "" })),
  );
  expect((await run({ volumes: ["new:/new"], run: "ls /new | wc -l" })).stdout.trim()).toBe("6");
  await runner.close();
});

test("users that want a new volume at once agree on whose it is", async () => {
  const runner = executor();
  const results = await Promise.all(
    ["1001", "1002", "1003", "1004"].map((user) =>
      runner.run({ name: user, image: "busybox", user, caches: ["whose:/c"], run: "stat -c %u /c" }),
    ),
  );
  expect(new Set(results.map(({ stdout }) => stdout)).size).toBe(1);
  expect((await run({ caches: ["whose:/c"], run: "stat -c %u /c" })).stdout).toBe(results[0]?.stdout);
  await runner.close();
});

describe("in use", () => {
  test("a volume is not removed, and not pruned", async () => {
    const runner = executor();
    const handle = runner.start({
      name: "user",
      image: "busybox",
      caches: ["used:/c"],
      run: "echo on; sleep 6000",
      stopGrace: "0s",
    });
    for await (const event of handle) {
      if (event.type !== "output") continue;
      expect(await listVolumes(at.client)).toMatchObject([{ name: "used", usedBy: [handle.id] }]);
      await expect(removeVolume(at.client, "used")).rejects.toMatchObject({
        kind: "invalid-argument",
        message: expect.stringContaining(handle.id),
      });
      expect(await pruneVolumes(at.client)).toEqual([]);
      expect(await names()).toEqual(["used"]);
      // Meanwhile other steps may use it.
      expect(await run({ caches: ["used:/c"], run: "echo x > /c/x" })).toMatchObject({ exitCode: 0 });
      handle.stop();
    }
    await handle.closed;
    expect((await pruneVolumes(at.client)).map(({ name }) => name)).toEqual(["used"]);
    await runner.close();
  });

  test("steps that start while others prune and remove always find their directory, and keep it until their end", async () => {
    const runner = executor();
    let isOver = false;
    const refusals: unknown[] = [];
    const whileNotOver = async (remove: () => Promise<unknown>): Promise<void> => {
      while (!isOver) await remove().catch((reason: unknown) => refusals.push(reason));
    };
    const removing = [
      whileNotOver(() => pruneVolumes(at.client)),
      whileNotOver(() => pruneVolumes(at.client)),
      whileNotOver(() => removeVolume(at.client, "c")),
    ];
    try {
      for (let round = 0; round < 15; round++) {
        const result = await runner.run({
          name: "r",
          image: "busybox",
          caches: ["c:/c"],
          run: "echo x > /c/x && sleep 0.1 && cat /c/x && rm /c/x",
        });
        expect(result).toMatchObject({ exitCode: 0, stdout: "x\n", stderr: "" });
      }
    } finally {
      isOver = true;
      await Promise.all(removing);
      await runner.close();
    }
    // Only "is used by" and "does not exist".
    expect(refusals.filter((reason) => !isExecutorError(reason, "invalid-argument"))).toEqual([]);
  });

  test("a volume stays, though its remover saw no user when it looked", async () => {
    const { client } = at;
    await run({ caches: ["held:/c"], run: "echo before > /c/x" });
    await using runner = executor();
    const { setLabels } = client.snapshots;
    let handle: StepHandle | undefined;
    // The step begins after the remover has looked for users, and before it takes the label off. From then
    // on, any collection may remove a volume that nothing protects.
    client.snapshots.setLabels = async (...args) => {
      client.snapshots.setLabels = setLabels;
      handle = runner.start({
        name: "late",
        image: "busybox",
        caches: ["held:/c"],
        run: "echo on; until [ -e /c/removed ]; do sleep 0.02; done; cat /c/x",
        stopGrace: "0s",
      });
      for await (const event of handle) if (event.type === "output") break;
      return setLabels(...args);
    };
    try {
      await expect(removeVolume(client, "held")).rejects.toMatchObject({ kind: "invalid-argument" });
    } finally {
      client.snapshots.setLabels = setLabels;
    }
    await run({ caches: ["held:/c"], user: "root", run: "touch /c/removed" });
    expect(await handle?.result).toMatchObject({ exitCode: 0, stdout: "on\nbefore\n" });
    await handle?.closed;
    expect(await names()).toEqual(["held"]);
  });
});

test("the size of a volume whose files go away while they are counted is counted again, or not known", async () => {
  const { snapshots } = at.client;
  const { usage } = snapshots;
  await run({ caches: ["busy:/c"], run: "echo x > /c/x" });
  const counted = await listVolumes(at.client);
  expect(counted).toMatchObject([{ name: "busy", sizeBytes: expect.any(Number) }]);
  let failures = 0;
  snapshots.usage = async (...args) => {
    if (failures-- <= 0) return usage(...args);
    const message = "measure snapshot wfe-volume-busy: lstat /snapshots/7/fs/x: no such file or directory";
    throw new ContainerdError(message, { kind: "unknown", operation: "measure snapshot wfe-volume-busy" });
  };
  try {
    failures = 2;
    expect(await listVolumes(at.client)).toEqual(counted);
    failures = Number.POSITIVE_INFINITY;
    expect(await listVolumes(at.client)).toEqual([{ ...counted[0], sizeBytes: undefined }]);
    expect(await pruneVolumes(at.client, { maxBytes: 0 })).toEqual([]);
    expect(await pruneVolumes(at.client)).toMatchObject([{ name: "busy" }]);
  } finally {
    snapshots.usage = usage;
  }
});

test("caches are pruned by age and by size, the longest unused first; volumes only when they are asked for", async () => {
  for (const name of ["one", "two"])
    await run({ caches: [`${name}:/c`], run: "head -c 2000000 /dev/zero > /c/x" });
  await run({ volumes: ["stays:/v"], run: "head -c 2000000 /dev/zero > /v/x" });
  const pruned = async (options?: Parameters<typeof pruneVolumes>[1]): Promise<string[]> =>
    (await pruneVolumes(at.client, options)).map(({ name }) => name);
  expect(await pruned({ unusedForMs: 3_600_000 })).toEqual([]);
  expect(await pruned({ maxBytes: 3_000_000, dryRun: true })).toEqual(["one"]);
  expect(await pruned({ maxBytes: 3_000_000 })).toEqual(["one"]);
  expect(await pruned({ maxBytes: 3_000_000 })).toEqual([]);
  expect(await pruned()).toEqual(["two"]);
  expect(await names()).toEqual(["stays"]);
  expect(await pruned({ kinds: ["volume"] })).toEqual(["stays"]);
});

describe("is refused:", () => {
  test("a volume that the policy does not name", async () => {
    const before = await at.inventory();
    await expect(
      run({ run: "true", volumes: ["data:/data"], caches: ["npm:/npm"] }, { policy: {} }),
    ).rejects.toMatchObject({
      kind: "refused",
      issues: [
        { field: "volumes", allowed: expect.stringContaining("volumes") },
        { field: "caches", allowed: expect.stringContaining("volumes") },
      ],
    });
    await at.expectNothingLeft(before);
    expect(
      await run({ run: "true", volumes: ["data:/data"] }, { policy: { volumes: ["data"] } }),
    ).toMatchObject({ exitCode: 0 });
  });

  test("a cache by the name of a volume", async () => {
    await run({ run: "true", volumes: ["same:/data"] });
    await expect(run({ run: "true", caches: ["same:/data"] })).rejects.toMatchObject({
      kind: "refused",
      issues: [{ field: "caches" }],
    });
    await expect(run({ run: "true", volumes: ["two:/a"], caches: ["two:/b"] })).rejects.toMatchObject({
      kind: "refused",
    });
  });

  test("the removal of what is not there", async () => {
    await expect(removeVolume(at.client, "nothing")).rejects.toMatchObject({ kind: "invalid-argument" });
  });
});

describe("a workspace", () => {
  /** Runs a step under the default policy, in a workspace at /work. */
  const inWorkspace = (name: string, change: Partial<StepInput>) =>
    run(
      { volumes: [{ source: name, target: "/work" }], workingDir: "/work", timeout: "10m", ...change },
      { policy: {} },
    );

  test("is shared by steps that the policy allows no volumes, is no volume to others, and goes at its end", async () => {
    const before = await at.inventory();
    {
      await using workspace = await openWorkspace(at.client);
      const first = await inWorkspace(workspace.name, { run: "echo kept > file; stat -c '%u:%g %a' ." });
      expect(first).toMatchObject({ exitCode: 0, stdout: "65534:65534 755\n" });
      expect(await names()).toEqual([]);
      await expect(removeVolume(at.client, workspace.name)).rejects.toThrow("does not exist");
      expect(await pruneVolumes(at.client, { kinds: ["volume", "cache"] })).toEqual([]);
      await at.client.leases.collectGarbage();
      const second = await inWorkspace(workspace.name, { user: "7:8", run: "cat file; stat -c '%u:%g' ." });
      expect(second).toMatchObject({ exitCode: 0, stdout: "kept\n7:8\n" });
    }
    await at.expectNothingLeft(before);
  });

  test("of several users lets each change what another has made", async () => {
    await using workspace = await openWorkspace(at.client, { shared: true });
    const script =
      "umask 077; mkdir -p deep; echo $NAME >> deep/file; echo $NAME > /work/deep/$NAME; stat -c %a . deep/file";
    for (const user of ["65534", "1000:7", "0", "65534"])
      expect(
        await inWorkspace(workspace.name, { user, env: { NAME: `u${user.slice(0, 2)}` }, run: script }),
      ).toMatchObject({ exitCode: 0, stdout: "777\n666\n" });
    const last = await inWorkspace(workspace.name, { run: "cat deep/file; rm -r deep; ls" });
    expect(last).toMatchObject({ exitCode: 0, stdout: "u65\nu10\nu0\nu65\n" });
  });

  test("has the working directory that its first step names", async () => {
    await using workspace = await openWorkspace(at.client);
    const first = await inWorkspace(workspace.name, { workingDir: "/work/a/b/", run: "pwd; touch it ../it" });
    expect(first).toMatchObject({ exitCode: 0, stdout: "/work/a/b\n" });
  });

  test("can be closed once more when the daemon is back", async () => {
    const before = await at.inventory();
    const { close } = await openWorkspace(at.client);
    at.daemon.kill("SIGKILL");
    await at.daemon.exited;
    await expect(close()).rejects.toMatchObject({ kind: "unavailable" });
    await at.daemon.restart();
    await close();
    await at.expectNothingLeft(before);
  });

  test("that is closed is refused, and never made anew", async () => {
    const { name, close } = await openWorkspace(at.client);
    await close();
    await expect(inWorkspace(name, { run: "true" })).rejects.toThrow(
      `volumes: the workspace ${name} does not exist on this daemon`,
    );
    for (const policy of [{}, POLICY])
      await expect(run({ caches: [`${name}:/x`], run: "true" }, { policy })).rejects.toThrow("caches");
  });
});
