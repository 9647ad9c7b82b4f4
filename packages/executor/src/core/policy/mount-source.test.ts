import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkMountSource } from "./mount-source.js";

describe("whatever the policy", () => {
  test.each([
    "/",
    "//",
    "/etc",
    "/etc/",
    "/proc",
    "/proc/1/root",
    "/sys/fs/cgroup",
    "/dev",
    "/dev/sda",
    "/run",
    "/run/containerd",
    "/run/containerd/containerd.sock",
    "//run//containerd/",
    "/run/containerd/io.containerd.runtime.v2.task/default/x/rootfs",
    "/var",
    "/var/lib",
    "/var/lib/containerd",
    "/var/run/docker.sock",
    "/opt",
    "/opt/cni/bin",
    "/opt/containerd/bin/x",
    "/tmp",
    "/tmp/",
    "/var/tmp",
    "/tmp/wfe-containerd-a1B2c3",
    "/srv/tmp/wfe-containerd-a1B2c3/wfe-0/stdout",
    "/srv/docker.sock",
    "/srv/nri.sock",
    "/srv/containerd.sock.ttrpc",
    "/srv/containerd-debug.sock",
    "relative",
    "./x",
    "",
    "/srv/../etc",
    "/srv/./x",
    "/srv\0",
  ])("%j is refused", (source) => {
    for (const allowed of ["ordinary", ["/"], [source]] as const) {
      expect(checkMountSource(source, { allowed })?.isAllowable).toBe(false);
    }
  });

  test("so are the daemon's own directories, what they are in and what is in them", () => {
    const rules = { allowed: ["/"], forbidden: ["/tmp/daemon/state"] };
    for (const source of ["/tmp", "/tmp/daemon", "/tmp/daemon/state", "/tmp/daemon/state/x.sock"]) {
      expect(checkMountSource(source, rules)?.isAllowable).toBe(false);
    }
    expect(checkMountSource("/tmp/daemon/statement", rules)).toBeUndefined();
  });
});

test("with a list, what it names and what is below it", () => {
  const allowed = ["/srv/data", "/usr/share/zoneinfo/", "/etc/ssl/certs"];
  for (const source of [
    "/srv/data",
    "/srv/data/",
    "/srv//data/x",
    "/usr/share/zoneinfo/UTC",
    "/etc/ssl/certs",
  ]) {
    expect(checkMountSource(source, { allowed })).toBeUndefined();
  }
  for (const source of ["/srv", "/srv/database", "/home/dev", "/usr/share", "/etc/ssl"]) {
    expect(checkMountSource(source, { allowed })).toEqual({
      reason: "is not in an allowed source",
      isAllowable: true,
    });
  }
});

test("with an empty list, nothing", () => {
  expect(checkMountSource("/srv", { allowed: [] })?.isAllowable).toBe(true);
});

test("ordinary sources are where data and disks are, and no program of the host's is", () => {
  const allowed = "ordinary";
  for (const source of ["/srv", "/srv/build/x", "/mnt", "/media/disk", "/data"]) {
    expect(checkMountSource(source, { allowed })).toBeUndefined();
  }
  for (const source of [
    "/usr",
    "/usr/local/bin",
    "/etc/passwd",
    "/root/.ssh",
    "/boot",
    "/lib",
    "/var/log",
    "/run/x",
    "/opt/tool",
    "/home/dev/project",
    "/tmp/x",
    "/nix/store",
    "/srvx",
  ]) {
    expect(checkMountSource(source, { allowed })?.isAllowable).toBe(true);
  }
});

test("what is in a directory for temporary files may be allowed", () => {
  for (const allowed of ["/", "/tmp", "/tmp/build"])
    expect(checkMountSource("/tmp/build/x", { allowed: [allowed] })).toBeUndefined();
});

test("no spelling of a path comes out of an allowed tree", () => {
  const part = fc.constantFrom("", ".", "..", "srv", "data", "etc", "x");
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      const source = `/${parts.join("/")}`;
      if (checkMountSource(source, { allowed: ["/srv/data"] }) !== undefined) return;
      const plain = `/${parts.filter((text) => text !== "").join("/")}`;
      expect(plain === "/srv/data" || plain.startsWith("/srv/data/")).toBe(true);
      expect(parts).not.toContain("..");
    }),
  );
});
