import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Bundle, createBundle, execute, HOST } from "./runc.js";

let bundle: Bundle;
let source: string;
beforeAll(async () => {
  bundle = await createBundle();
  source = await mkdtemp(join(tmpdir(), "wfe-volume-"));
  await writeFile(join(source, "greeting"), "hello");
});
afterAll(async () => {
  await bundle[Symbol.asyncDispose]();
  await rm(source, { recursive: true, force: true });
});

/** The options of each mount that a container sees, by mount point. */
function optionsOf(mountinfo: string): Map<string, string[]> {
  const lines = mountinfo.trim().split("\n");
  return new Map(
    lines.map((line) => {
      const fields = line.split(" ");
      return [fields[4] ?? "", (fields[5] ?? "").split(",")];
    }),
  );
}

test("the kernel's file systems are mounted as docker does", async () => {
  const { stdout } = await bundle.run("cat /proc/self/mountinfo");
  const options = optionsOf(stdout);
  expect(options.get("/proc")).toEqual(expect.arrayContaining(["rw", "nosuid", "nodev", "noexec"]));
  expect(options.get("/dev")).toEqual(expect.arrayContaining(["rw", "nosuid"]));
  expect(options.get("/dev/pts")).toEqual(expect.arrayContaining(["rw", "nosuid", "noexec"]));
  expect(options.get("/dev/shm")).toEqual(expect.arrayContaining(["rw", "nosuid", "nodev", "noexec"]));
  expect(options.get("/dev/mqueue")).toEqual(expect.arrayContaining(["rw", "nosuid", "nodev", "noexec"]));
  expect(options.get("/sys")).toEqual(expect.arrayContaining(["ro", "nosuid", "nodev", "noexec"]));
  expect(options.get("/proc/sys")).toContain("ro");
  const cgroups = [...options].filter(([target]) => target.startsWith("/sys/fs/cgroup"));
  // On cgroup v1 the first mount is a tmpfs of the container's own, with a read-only mount in it for each
  // hierarchy.
  const hierarchies = HOST.cgroupVersion === 1 ? cgroups.slice(1) : cgroups;
  expect(hierarchies.length).toBeGreaterThan(0);
  for (const [, flags] of hierarchies) expect(flags).toContain("ro");
});

test("a volume is written to, a read-only one is not; neither takes set-uid programs or devices", async () => {
  const { stdout } = await bundle.run(
    "cat /rw/greeting /ro/greeting; echo more > /rw/more; echo no > /ro/no; cat /proc/self/mountinfo",
    {
      mounts: [
        { type: "bind", source, target: "/rw" },
        { type: "bind", source, target: "/ro", readonly: true },
      ],
    },
  );
  expect(stdout.startsWith("hellohello")).toBe(true);
  expect(await readFile(join(source, "more"), "utf8")).toBe("more\n");
  await expect(readFile(join(source, "no"), "utf8")).rejects.toThrow("ENOENT");
  const options = optionsOf(stdout.slice("hellohello".length));
  expect(options.get("/rw")).toEqual(expect.arrayContaining(["rw", "nosuid", "nodev"]));
  expect(options.get("/ro")).toEqual(expect.arrayContaining(["ro", "nosuid", "nodev"]));
});

test("what is mounted below a read-only volume is read-only, or not there where the kernel is not known", async () => {
  const below = join(source, "below");
  await mkdir(below);
  await execute("mount", ["-t", "tmpfs", "none", below]);
  try {
    await writeFile(join(below, "file"), "below");
    const script = "cat /v/below/file; echo no > /v/below/no && echo wrote; echo end";
    const mounts = [{ type: "bind", source, target: "/v", readonly: true }] as const;
    const unknown = await bundle.run(script, { mounts, host: { ...HOST, kernelVersion: undefined } });
    expect(unknown.stdout).toBe("end\n");
    const old = await bundle.run(script, { mounts, host: { ...HOST, kernelVersion: "5.10.0-28-amd64" } });
    expect(old.stdout).toBe("end\n");
    const recent = await bundle.run(script, { mounts, host: { ...HOST, kernelVersion: "5.12.0" } });
    expect(recent.stdout).toBe("belowend\n");
  } finally {
    await execute("umount", [below]);
  }
});

test("mounts are made from the outside in, whatever their order", async () => {
  const { stdout, stderr } = await bundle.run("cat /a/b/c/greeting; ls /a", {
    mounts: [
      { type: "bind", source, target: "/a/b/c" },
      { type: "tmpfs", target: "/a" },
    ],
  });
  expect(stderr).toBe("");
  expect(stdout).toBe("hellob\n");
});

test("a tmpfs has its size, mode and owner, and runs nothing", async () => {
  const { stdout } = await bundle.run(
    "stat -c '%a %u %g' /t; head -c 2000000 /dev/zero > /t/x; wc -c < /t/x; cp /bin/busybox /t/ 2>/dev/null;" +
      " rm /t/x; cp /bin/true /t/sh; chmod 755 /t/sh; /t/sh || echo refused",
    { mounts: [{ type: "tmpfs", target: "/t", sizeBytes: 1 << 20, mode: 0o700, uid: 5, gid: 6 }] },
  );
  expect(stdout).toBe("700 5 6\n1048576\nrefused\n");
});

test.each([
  [undefined, "1777 0 0"],
  [0o1777, "1777 0 0"],
  [0o700, "700 0 0"],
  [0o2755, "2755 0 0"],
])(
  "where the image has the directory, with files in it, a tmpfs of mode %j has that mode, and is empty",
  async (mode, expected) => {
    const image = join(bundle.rootfs, "home/app");
    await mkdir(image, { recursive: true, mode: 0o755 });
    await writeFile(join(image, "file"), "the image's");
    const script = "stat -c '%a %u %g' /home/app; ls /home/app; touch /home/app/new && ls /home/app";
    const { stdout } = await bundle.run(script, { mounts: [{ type: "tmpfs", target: "/home/app", mode }] });
    expect(stdout).toBe(`${expected}\nnew\n`);
    const asUser = {
      user: { uid: 1000, gid: 1000 },
      mounts: [{ type: "tmpfs", target: "/home/app", mode: 0o700, uid: 1000, gid: 7 }],
    } as const;
    expect((await bundle.run(script, asUser)).stdout).toBe("700 1000 7\nnew\n");
  },
);

test("/dev/shm has the size it was given", async () => {
  const { stdout } = await bundle.run("df -k /dev/shm | awk 'END {print $2}'", { shmSizeBytes: 8 << 20 });
  expect(stdout).toBe("8192\n");
});

test("a read-only root cannot be written to, a tmpfs on it can", async () => {
  const { stdout } = await bundle.run("touch /new || echo refused; touch /tmp/new && echo made", {
    readonlyRootfs: true,
    mounts: [{ type: "tmpfs", target: "/tmp" }],
  });
  expect(stdout).toBe("refused\nmade\n");
});
