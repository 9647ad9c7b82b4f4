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

/** With its final NUL, the longest string that the kernel takes. */
const LONGEST = 128 * 1024 - 1;

test("an argument and a variable may be as long as the kernel takes them, and no longer", async () => {
  const command = (length: number): string[] => [
    "/bin/sh",
    "-c",
    `echo on; exit 3 #${"x".repeat(length - 17)}`,
  ];
  expect(await run({ command: command(LONGEST) })).toMatchObject({ exitCode: 3, stdout: "on\n" });
  await expect(run({ command: command(LONGEST + 1) })).rejects.toMatchObject({
    kind: "refused",
    issues: [{ field: "command" }],
  });
  // Otherwise the shell would exit with 1 and "argument list too long", as if the step had failed.
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

test.each<[string, object, Partial<StepInput>, string]>([
  [
    "of a step",
    { Entrypoint: ["/bin/false"], Cmd: ["x"] },
    { command: [""], args: ["/bin/echo", "a"] },
    "a\n",
  ],
  ["of an image", { Entrypoint: [""], Cmd: ["/bin/echo", "its own"] }, {}, "its own\n"],
  [
    "of an image, with arguments",
    { Entrypoint: [""], Cmd: ["/bin/false"] },
    { args: ["/bin/echo", "b"] },
    "b\n",
  ],
])('the entrypoint [""] %s is none', async (_, config, step, stdout) => {
  const image = "docker.io/library/entrypoint:latest";
  const built = await buildImage({ layers: [await busyboxLayer()], config: { ...config } });
  await at.client.images.import(once(await ociArchive(built, image)));
  expect(await run({ image, ...step })).toMatchObject({ exitCode: 0, stdout });
  await at.client.images.remove(image, { sync: true });
});

test('the entrypoint [""] without arguments leaves nothing to run', async () => {
  await expect(run({ command: [""] })).rejects.toMatchObject({
    kind: "refused",
    message: expect.stringContaining(
      "command: is empty, which removes the image's program, and args is missing",
    ),
  });
});

test("a step has a limit of open files of our own", async () => {
  const [, hard] = /^Max open files\s+\S+\s+(\d+)/m.exec(await readFile("/proc/self/limits", "utf8")) ?? [];
  const { stdout } = await run({ run: "ulimit -Sn; ulimit -Hn" });
  const [soft = 0, most = 0] = stdout.trim().split("\n").map(Number);
  expect(soft).toBe(Math.min(65_536, most));
  // Without CAP_SYS_RESOURCE, at most this machine's own limit.
  expect([524_288, Number(hard)]).toContain(most);
});

test.each(["none", "host"] as const)(
  "on the network %s, what the kernel lets a user do without capabilities",
  async (network) => {
    const ports = "cat /proc/sys/net/ipv4/ip_unprivileged_port_start";
    const { stdout } = await run({ network, run: ports }, { hostNetwork: true });
    const own = await readFile("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8");
    expect(stdout).toBe(network === "none" ? "0\n" : own);
  },
);

test("a user listens on a port below 1024 in the step's own network", async () => {
  const script = "httpd -p 80 -h /etc && wget -q -O - http://127.0.0.1/group";
  expect(await run({ run: script, timeoutMs: 600_000 })).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^root:/),
  });
  const closed = await run(
    {
      run: "httpd -p 80 -h /etc",
      sysctls: { "net.ipv4.ip_unprivileged_port_start": "1024" },
    },
    { sysctls: "any" },
  );
  expect(closed).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("Permission denied") });
});
