import { readFile } from "node:fs/promises";
import { createExecutor, type Policy, type StepInput } from "@wfe-containerd/executor";
import { once, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { buildImage, busyboxLayer, ociArchive } from "@wfe-containerd/test-infra/images";
import { expect, test } from "vitest";

const at = useDaemon();

async function run(step: Partial<StepInput>, policy: Partial<Policy> = {}) {
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir, policy });
  return await executor.run({ name: "process", image: "busybox", ...step } as StepInput);
}

/** With its NUL, as much as the kernel takes of one string. */
const LONGEST = 128 * 1024 - 1;

test("a script, an argument and a variable may be as long as the kernel takes them, and no longer", async () => {
  const script = (length: number): string => `echo on; exit 3 #${"x".repeat(length - 17)}`;
  expect(script(LONGEST)).toHaveLength(LONGEST);
  expect(await run({ run: script(LONGEST) })).toMatchObject({ exitCode: 3, stdout: "on\n" });
  await expect(run({ run: script(LONGEST + 1) })).rejects.toMatchObject({
    kind: "refused",
    issues: [{ field: "command" }],
  });
  // Where the shell would end with 1 and "argument list too long", as if it were the step that failed.
  const env = Object.fromEntries(
    Array.from({ length: 40 }, (_, index) => [`V${index}`, "x".repeat(100_000)]),
  );
  await expect(run({ run: "true", env })).rejects.toMatchObject({ kind: "refused" });
  const fits = Object.fromEntries(Object.entries(env).slice(0, 20));
  expect(await run({ run: "env | wc -c", env: fits })).toMatchObject({ exitCode: 0 });
});

test("set-uid programs make a user root only where the policy and the step let them", async () => {
  const busybox = await readFile("/bin/busybox");
  const image = "docker.io/library/set-uid:latest";
  const layer = [
    ...(await busyboxLayer()).filter(({ path }) => path !== "etc/passwd" && path !== "bin/su"),
    { path: "etc/passwd", contents: "root::0:0:root:/root:/bin/sh\nann:x:1000:1000::/:/bin/sh\n" },
    { path: "bin/su", contents: busybox, mode: 0o4755 },
  ];
  await at.client.images.import(once(await ociArchive(await buildImage({ layers: [layer] }), image)));
  const step = {
    image,
    user: "ann",
    run: "id -u; /bin/su -c 'id -u; chown 5:5 /root; stat -c %u /root; grep CapEff /proc/self/status' 2>&1",
  };
  const tight = await run(step);
  expect(tight.stdout).toMatch(/^1000\n/);
  expect(tight.stdout).not.toMatch(/^0$/m);
  const open = await run({ ...step, noNewPrivileges: false }, { newPrivileges: true });
  expect(open.stdout).toBe("1000\n0\n5\nCapEff:\t00000000a80425fb\n");
  await at.client.images.remove(image, { sync: true });
});
