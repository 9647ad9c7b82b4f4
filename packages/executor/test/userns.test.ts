import { createExecutor, type ExecutorOptions, removeVolume, type StepInput } from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { beforeEach, expect, test } from "vitest";

const at = useDaemon();

/**
 * Skips on a containerd without user namespaces. identity.test.ts tests that such steps are refused there.
 */
beforeEach(async ({ skip }) => {
  const plugins = await at.client.introspection.plugins(["type==io.containerd.snapshotter.v1,id==overlayfs"]);
  skip(
    !plugins.some(({ capabilities }) => capabilities.includes("remap-ids")),
    "its snapshotter maps no ids",
  );
});

async function run(step: Partial<StepInput>, secrets = {}, options: ExecutorOptions = {}) {
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir, ...options });
  const input = { name: "mapped", image: "busybox", userNamespace: true, ...step } as StepInput;
  return await executor.run(input, { secrets });
}

test.each(["0", "65534:65534", "1000:7"])(
  "user %s of a user namespace has its caches, and a working directory on disk and in memory",
  async (user) => {
    const policy = { volumes: "any" } as const;
    const cache = `mapped-${user.replace(":", "-")}`;
    const step = {
      user,
      caches: [`${cache}:/cache`],
      run: "stat -c '%u:%g %a' /cache; touch /cache/x && stat -c '%u:%g' /cache/x",
    };
    const ids = user === "0" ? "0:0" : user;
    const { stdout, stderr } = await run(step, {}, { policy });
    expect({ stdout, stderr }).toEqual({ stdout: `${ids} 755\n${ids}\n`, stderr: "" });
    await removeVolume(at.client, cache);
    const made = await run({
      user,
      workingDir: "/made/here",
      run: "stat -c '%u:%g' .; touch x && echo wrote",
    });
    expect(made).toMatchObject({ stdout: `${ids}\nwrote\n`, stderr: "" });
    const inMemory = { user, tmpfs: ["/made"], workingDir: "/made/here", readOnly: true };
    expect(await run({ ...inMemory, run: "stat -c '%u:%g' .; touch x && echo wrote" })).toMatchObject({
      stdout: `${ids}\nwrote\n`,
      stderr: "",
    });
  },
);

test.each<[string, Partial<StepInput>]>([
  ["userNamespace", { network: "host" }],
  ["userNamespace", { privileged: true }],
  ["userNamespace", { secrets: ["token"] }],
  ["groupAdd", { groupAdd: [70_000] }],
  ["user", { user: "70000:70000" }],
])("what a user namespace cannot have is refused as %s", async (field, step) => {
  const options = { policy: { hostNetwork: true, privileged: true } };
  await expect(run({ run: "true", ...step }, { token: "x" }, options)).rejects.toMatchObject({
    kind: "refused",
    issues: [{ field }],
  });
});

test("a session in a user namespace has no snapshot: its files have the ids of the namespace", async () => {
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
  await using session = await executor.open({ name: "mapped", image: "busybox", userNamespace: true });
  await expect(session.snapshot("mapped")).rejects.toMatchObject({
    kind: "refused",
    message:
      "snapshot: the files of the session have the ids of its user namespace; allowed: a session without user_namespace",
  });
  expect(await executor.snapshots()).toEqual([]);
});
