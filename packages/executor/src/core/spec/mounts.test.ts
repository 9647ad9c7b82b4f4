import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createDeviceRules, createDevices, parseDevice } from "./devices.js";
import { createMounts, type StepMount } from "./mounts.js";

const KERNEL = ["/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys", "/sys/fs/cgroup"];

function optionsOf(mount: StepMount, kernelVersion?: string): string[] | undefined {
  return createMounts({ mounts: [mount], kernelVersion }).find(({ type }) => type === mount.type)?.options;
}

test("the kernel's file systems come last, each after what it lies in, and before them what nothing may cover", () => {
  const at = (target: string): StepMount => ({ type: "tmpfs", target });
  const mounts = createMounts({ mounts: [at("/a/b"), at("/dev/x"), at("/a")], topMounts: [at("/top")] });
  const targets = mounts.filter(({ type }) => type !== "ramfs").map(({ destination }) => destination);
  expect(targets).toEqual(["/a", "/a/b", "/top", ...KERNEL, "/dev/x"]);
});

test("one of the kernel's is replaced by one that is given", () => {
  const mounts = createMounts({ mounts: [{ type: "bind", source: "/s", target: "/dev/shm" }] });
  expect(mounts.map(({ destination }) => destination).toSorted()).toEqual(KERNEL.toSorted());
  expect(mounts.at(-1)).toMatchObject({ destination: "/dev/shm", source: "/s" });
});

test("/sys and the cgroups are read-only, unless privileged", () => {
  const access = (privileged: boolean): unknown[] =>
    createMounts({ privileged })
      .filter(({ destination }) => destination.startsWith("/sys"))
      .map(({ options }) => options?.at(-1));
  expect(access(false)).toEqual(["ro", "ro"]);
  expect(access(true)).toEqual(["rw", "rw"]);
});

describe("volumes", () => {
  const volume = { type: "bind", source: "/srv", target: "/v" } as const;

  test("are private, without set-uid programs and devices", () => {
    expect(optionsOf(volume)).toEqual(["rbind", "rw", "nosuid", "nodev", "rprivate"]);
    expect(optionsOf({ ...volume, propagation: "rslave", noexec: true })).toEqual([
      "rbind",
      "rw",
      "nosuid",
      "nodev",
      "noexec",
      "rslave",
    ]);
  });

  test("are read-only with all that is mounted below, or without it", () => {
    expect(optionsOf({ ...volume, readonly: true }, "6.1.0")).toEqual([
      "rbind",
      "ro",
      "rro",
      "nosuid",
      "nodev",
      "rprivate",
    ]);
    for (const unfit of [undefined, "5.11.22", "4.19.0", "?"]) {
      expect(optionsOf({ ...volume, readonly: true }, unfit)).toEqual([
        "bind",
        "ro",
        "nosuid",
        "nodev",
        "rprivate",
      ]);
    }
  });

  test("come after what they lie in", () => {
    const targets = fc.array(fc.stringMatching(/^(\/[ab]){1,4}$/), { maxLength: 6 });
    fc.assert(
      fc.property(targets, (paths) => {
        const mounts = createMounts({ mounts: paths.map((target) => ({ ...volume, target })) });
        const order = mounts.map(({ destination }) => destination);
        order.forEach((path, at) => {
          expect(order.slice(0, at).some((before) => before.startsWith(`${path}/`))).toBe(false);
        });
      }),
    );
  });
});

test("a tmpfs is for everybody, and runs nothing, unless said otherwise", () => {
  expect(optionsOf({ type: "tmpfs", target: "/t" })).toEqual(["nosuid", "nodev", "noexec", "mode=1777"]);
  expect(
    optionsOf({
      type: "tmpfs",
      target: "/t",
      sizeBytes: 1024,
      mode: 0o400,
      uid: 5,
      gid: 6,
      readonly: true,
      noexec: false,
    }),
  ).toEqual(["nosuid", "nodev", "ro", "mode=400", "size=1024", "uid=5", "gid=6"]);
});

describe("devices", () => {
  test("are denied but for the harmless ones and the given", () => {
    const rules = createDeviceRules([parseDevice("/dev/fuse")]);
    expect(rules[0]).toEqual({ allow: false, access: "rwm" });
    expect(rules.filter(({ allow }) => allow)).toHaveLength(10);
    expect(rules.at(-1)).toEqual({ allow: true, type: "c", major: 10, minor: 229, access: "rwm" });
  });

  test("are all allowed to the privileged", () => {
    expect(createDeviceRules([], true)).toEqual([{ allow: true, access: "rwm" }]);
  });

  test.each([
    ["/dev/fuse", { path: "/dev/fuse", type: "c", major: 10, minor: 229, access: undefined }],
    ["/dev/fuse:/dev/x", { path: "/dev/x", type: "c", major: 10, minor: 229, access: undefined }],
    ["/dev/kvm:rw", { path: "/dev/kvm", type: "c", major: 10, minor: 232, access: "rw" }],
    ["/dev/net/tun:/dev/t:r", { path: "/dev/t", type: "c", major: 10, minor: 200, access: "r" }],
  ])("%s", (text, expected) => {
    expect(parseDevice(text)).toEqual(expected);
  });

  test.each([
    "/dev/sda",
    "fuse",
    "",
    "/dev/fuse:/etc/x",
    "/dev/fuse:/dev/../x",
    "/dev/fuse:/dev/x:rwx",
    "/dev/fuse:a:b:c",
  ])("%j is refused", (text) => {
    expect(() => parseDevice(text)).toThrow(/^devices: /);
  });

  test("have numbers and a place below /dev", () => {
    expect(createDevices([{ path: "/dev/x", type: "b", major: 8, minor: 0, fileMode: 0o600 }])).toEqual([
      { path: "/dev/x", type: "b", major: 8, minor: 0, fileMode: 0o600, uid: 0, gid: 0 },
    ]);
    expect(() => createDevices([{ path: "/x", type: "b", major: 8, minor: 0 }])).toThrow(/^devices: /);
    expect(() => createDevices([{ path: "/dev/x", type: "b", major: -1, minor: 0 }])).toThrow(/^devices: /);
  });
});

test("below a tmpfs is an empty directory of its mode, for a runtime that takes the mode from what it finds", () => {
  const mounts = createMounts({ mounts: [{ type: "tmpfs", target: "/t", mode: 0o750 }] });
  expect(mounts.slice(0, 2)).toMatchObject([
    { destination: "/t", type: "ramfs", options: expect.arrayContaining(["ro", "mode=750"]) },
    { destination: "/t", type: "tmpfs", options: expect.arrayContaining(["mode=750"]) },
  ]);
});
