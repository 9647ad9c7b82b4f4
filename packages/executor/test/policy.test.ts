import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createExecutor, type ExecutorOptions, type StepInput } from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { afterAll, beforeAll, expect, test, vi } from "vitest";

const at = useDaemon();
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "test-policy-"));
  await mkdir(join(directory, "shared"));
  await symlink("/etc", join(directory, "shared", "link"));
});
afterAll(() => rm(directory, { recursive: true }));

function run(change: Partial<StepInput>, policy?: ExecutorOptions["policy"]) {
  const executor = createExecutor({ client: at.client, ioDir: at.ioDir, policy });
  const step = { name: "asks", image: "busybox", run: "true", ...change } as StepInput;
  return executor.run(step).finally(() => executor.close());
}

test("by default a step gets no volume, no host's network, and not the image's choice of user", async () => {
  const before = await at.inventory();
  const refused = run({ volumes: ["/srv:/srv"], network: "host", user: "image" });
  await expect(refused).rejects.toMatchObject({
    kind: "refused",
    issues: [
      { field: "network", allowed: expect.stringContaining("host_network") },
      { field: "volumes[0].source", allowed: expect.stringContaining("mount_sources") },
      { field: "user", allowed: expect.stringContaining("image_user") },
    ],
  });
  await at.expectNothingLeft(before);
});

test("a source that is allowed is had; a link in it that leads elsewhere is not", async () => {
  const shared = join(directory, "shared");
  const policy = { mountSources: [shared] };
  expect(await run({ volumes: [`${shared}:/shared`] }, policy)).toMatchObject({ exitCode: 0 });
  await expect(run({ volumes: [`${shared}/link:/shared`] }, policy)).rejects.toMatchObject({
    kind: "refused",
  });
});

test.each([
  "/",
  "/etc",
  "/opt/cni/bin",
  "/tmp",
  "/proc/1",
  "/run/containerd",
  "/run/docker/x",
  "/srv/containerd.sock",
])("%s is no policy's to allow", async (source) => {
  await expect(run({ volumes: [`${source}:/x`] }, { mountSources: ["/"] })).rejects.toMatchObject({
    kind: "refused",
  });
});

test("the output of steps is nobody's volume; a directory beside it may be one", async () => {
  const policy = { mountSources: [tmpdir()] };
  const other = join(at.ioDir, `wfe-${"0".repeat(20)}`);
  for (const source of [at.ioDir, other, `${other}/stdout`]) {
    await expect(run({ volumes: [`${source}:/x`] }, policy)).rejects.toMatchObject({ kind: "refused" });
  }
  const beside = join(at.ioDir, "data");
  await mkdir(beside);
  expect(await run({ volumes: [`${beside}:/x`] }, policy)).toMatchObject({ exitCode: 0 });
  await rm(beside, { recursive: true });
});

test("nor is it by another name, wherever it is, and neither are the programs that root runs", async () => {
  const policy = { mountSources: [directory] };
  const [real, link] = [join(directory, "real"), join(directory, "name")];
  await mkdir(real, { mode: 0o700 });
  await symlink(real, link);
  const refused = async (source: string, options: ExecutorOptions) => {
    const executor = createExecutor({ client: at.client, ioDir: at.ioDir, policy, ...options });
    const step = { name: "asks", image: "busybox", run: "true", volumes: [`${source}:/x`] };
    await expect(executor.run(step)).rejects.toMatchObject({
      kind: "refused",
      issues: [{ field: "volumes[0].source", allowed: "by no policy" }],
    });
    await executor.close();
  };
  await refused(real, { ioDir: join(link, "io") });
  await refused(real, { bridge: { pluginDirs: [join(link, "cni")] } });
  await refused(real, { init: join(link, "tini") });
  vi.stubEnv("TMPDIR", join(link, "tmp"));
  await refused(real, { ioDir: undefined });
  vi.unstubAllEnvs();
});

test("a step that says no limit of memory or time has the policy's", async () => {
  const policy = { maximumMemoryBytes: 64 << 20, maximumTimeoutMs: 600_000 };
  const limit = "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null";
  expect(await run({ run: limit }, policy)).toMatchObject({ stdout: `${64 << 20}\n` });
  await expect(run({ memory: "65m", timeout: "11m" }, policy)).rejects.toMatchObject({
    issues: [{ field: "memory" }, { field: "timeout" }],
  });
});

test("images come from the registries that are allowed", async () => {
  await expect(run({}, { registries: ["example.com"] })).rejects.toMatchObject({
    kind: "refused",
    issues: [{ field: "image" }],
  });
  expect(await run({}, { registries: ["docker.io"] })).toMatchObject({ exitCode: 0 });
});
