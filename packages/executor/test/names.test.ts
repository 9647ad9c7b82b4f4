import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createExecutor, type StepInput } from "@wfe-containerd/executor";
import { once, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { buildImage, busyboxLayer, type LayerEntry, ociArchive } from "@wfe-containerd/test-infra/images";
import { describe, expect, test } from "vitest";

const at = useDaemon();
const FILES = ["hosts", "hostname", "resolv.conf"] as const;

function executor() {
  return createExecutor({
    client: at.client,
    ioDir: at.ioDir,
    policy: { hostNetwork: true, mountSources: [tmpdir()], newPrivileges: true, volumes: "any" },
  });
}

async function run(step: Partial<StepInput>) {
  await using runner = executor();
  return await runner.run({ name: "names", image: "busybox", ...step } as StepInput);
}

const machines = (name: string): Promise<string> => readFile(`/etc/${name}`, "utf8");
const nameServers = (text: string): string[] => text.split("\n").filter((line) => /^nameserver/.test(line));

describe("on the network of the daemon's machine", () => {
  test.each([{}, { extraHosts: ["db.example:10.0.0.7"] }])(
    "a step's own name leads to itself, and the machine's own names stay, with %j",
    async (change: Partial<StepInput>) => {
      const { stdout, exitCode } = await run({
        network: "host",
        user: "0",
        hostname: "builder",
        run: "set +e; ping -c 1 $(hostname) >/dev/null; echo $?; ping -c 1 localhost >/dev/null; echo $?; cat /etc/hosts",
        ...change,
      });
      expect(exitCode).toBe(0);
      const own = "extraHosts" in change ? "10.0.0.7\tdb.example\n" : "";
      expect(stdout).toBe(`0\n0\n127.0.1.1\tbuilder\n${own}${await machines("hosts")}`);
    },
  );

  test("its resolv.conf is the machine's, with what the step says instead", async () => {
    const show = "cat /etc/resolv.conf";
    const whole = await machines("resolv.conf");
    expect((await run({ network: "host", run: show })).stdout).toBe(whole);
    expect((await run({ network: "host", run: show, dns: ["192.0.2.1"] })).stdout).toBe(
      "nameserver 192.0.2.1\n",
    );
    const { stdout } = await run({ network: "host", run: show, dnsSearch: ["lan.example"] });
    expect(stdout.split("\n")[0]).toBe("search lan.example");
    expect(nameServers(stdout)).toEqual(nameServers(whole));
  });
});

/** The bytes on the executor's disk for its steps. */
async function bytesIn(directory: string): Promise<number> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true });
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map(async (entry) => (await stat(join(entry.parentPath, entry.name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

const FILL = `set +e; ${FILES.map((name) => `head -c 8000000 /dev/zero > /etc/${name}; wc -c < /etc/${name}`).join("; ")}`;

test("what root writes to the files of names is in the container, not on the executor's disk", async () => {
  await using runner = executor();
  const handle = runner.start({ name: "fill", image: "busybox", user: "0", run: `${FILL}; sleep 600` });
  let text = "";
  for await (const event of handle) {
    if (event.type === "output" && event.stream === "stdout") text += Buffer.from(event.data).toString();
    if (text.split("\n").length > FILES.length) {
      expect(await bytesIn(at.ioDir)).toBeLessThan(100_000);
      handle.kill();
    }
  }
  expect(text).toBe("8000000\n8000000\n8000000\n");
});

test.each<[string, Partial<StepInput>, string]>([
  ["on a read-only root file system", { readOnly: true }, "Read-only file system"],
  ["as another user", { user: "1000" }, "Read-only file system"],
  ["as another user who may become root", { user: "1000", noNewPrivileges: false }, "Permission denied"],
])("%s none of them can be written to", async (_, change, expected) => {
  const { stderr } = await run({ user: "0", run: FILL, ...change });
  expect(stderr.split("\n").filter((line) => line.includes(expected))).toHaveLength(FILES.length);
});

test("those that the daemon's machine completes are read-only, also for root", async () => {
  const { stderr } = await run({ user: "0", network: "host", run: FILL });
  expect(stderr).toMatch(/\/etc\/hosts: Read-only file system/);
  expect(stderr).toMatch(/\/etc\/resolv.conf: Read-only file system/);
});

test("they are there where the step mounts something on /etc, and cannot be written to", async () => {
  const { stdout, stderr } = await run({
    user: "0",
    hostname: "builder",
    tmpfs: ["/etc"],
    run: "cat /etc/hostname; grep -c builder /etc/hosts; echo x >> /etc/hosts",
  });
  expect({ stdout, stderr }).toEqual({
    stdout: "builder\n1\n",
    stderr: expect.stringContaining("Read-only file system"),
  });
});

test.each<[string, LayerEntry[]]>([
  ["links out of it", FILES.map((name) => ({ path: `etc/${name}`, symlink: "/../../../etc/passwd" }))],
  ["links to each other", FILES.map((name) => ({ path: `etc/${name}`, symlink: name }))],
  ["directories", FILES.map((name) => ({ path: `etc/${name}/x`, contents: "" }))],
  ["nothing", []],
])("they are the step's own where the image has %s", async (kind, files) => {
  const image = `docker.io/library/names-${kind.replaceAll(" ", "-")}:latest`;
  const layer = (await busyboxLayer()).filter(({ path }) => !FILES.some((name) => path === `etc/${name}`));
  await at.client.images.import(
    once(await ociArchive(await buildImage({ layers: [[...layer, ...files]] }), image)),
  );
  const { stdout } = await run({
    image,
    user: "0",
    hostname: "builder",
    run: "cat /etc/hostname; grep builder /etc/hosts; wc -c < /etc/resolv.conf; echo x > /etc/hosts && cat /etc/hosts",
  });
  expect(stdout).toBe("builder\n127.0.1.1\tbuilder\n0\nx\n");
  await at.client.images.remove(image, { sync: true });
});

test.each([
  ["usr/etc", "builder\nkept\n"],
  ["/usr/etc", "builder\nkept\n"],
  ["l/../etc", "builder\nkept\n"],
])(
  "an /etc that is a link to %s stays a link, and what it leads to stays there",
  async (symlink, expected) => {
    const image = "docker.io/library/names-etc:latest";
    const layer = (await busyboxLayer()).filter(({ path }) => path !== "etc/" && !path.startsWith("etc/"));
    const entries: LayerEntry[] = [
      ...layer,
      { path: "etc", symlink },
      { path: "l", symlink: "usr/share" },
      { path: "usr/share/" },
      { path: "usr/etc/marker", contents: "kept\n" },
      { path: "usr/etc/hostname", contents: "image\n" },
    ];
    await at.client.images.import(once(await ociArchive(await buildImage({ layers: [entries] }), image)));
    const { stdout } = await run({ image, hostname: "builder", run: "cat /etc/hostname /etc/marker" });
    expect(stdout).toBe(expected);
    await at.client.images.remove(image, { sync: true });
  },
);

test("where /etc is a link into a volume, nothing is made in the volume", async () => {
  const image = "docker.io/library/names-volume:latest";
  const layer = (await busyboxLayer()).filter(({ path }) => path !== "etc/" && !path.startsWith("etc/"));
  const entries: LayerEntry[] = [...layer, { path: "etc", symlink: "/data/etc" }, { path: "data/etc/" }];
  await at.client.images.import(once(await ociArchive(await buildImage({ layers: [entries] }), image)));
  const source = await mkdtemp(join(tmpdir(), "names-volume-"));
  await chmod(source, 0o755);
  await mkdir(join(source, "etc"));
  const { exitCode } = await run({ image, volumes: [`${source}:/data`], run: "ls /data/etc" });
  expect(exitCode).toBe(0);
  expect(await readdir(join(source, "etc"))).toEqual([]);
  await rm(source, { recursive: true });
  await at.client.images.remove(image, { sync: true });
});
