import { chmod, chown, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createExecutor } from "@wfe-containerd/executor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BUSYBOX, useRefusals } from "./refusals.js";

const { at, run, issuesOf, expectRefused } = useRefusals();
/** A directory on the daemon's machine, for volumes. */
let shared: string;

beforeAll(async () => {
  shared = await mkdtemp(join(tmpdir(), "test-bad-input-"));
});
afterAll(() => rm(shared, { recursive: true }));

const on = (target: unknown) => ({ volumes: [{ source: shared, target }] });

test("bad input 2: a mount's target is plain, absolute, elsewhere than the kernel's, and given once", async () => {
  const targets = ["", "data", "./data", "/a/../b", "/..", "/a/./b", "/a\0b", "/", "//", "/.", 7];
  const reserved = [
    "/proc",
    "/proc/self",
    "//proc",
    "/sys",
    "/sys/fs/cgroup",
    "/dev",
    "/dev/",
    "/dev/shm",
    "/dev/pts",
  ];
  await expectRefused(/^volumes\[0\]/, [...targets, ...reserved].map(on));
  await expectRefused(
    /^tmpfs\[0\]/,
    [...targets.slice(0, -1), ...reserved].map((target) => ({ tmpfs: [{ target }] })),
  );
  await expectRefused(
    /^secrets\[0\]/,
    reserved.map((target) => ({ secrets: [{ name: "s", target }] })),
  );
  await expectRefused(
    /^caches\[0\]/,
    reserved.map((target) => ({ caches: [{ name: "c", target }] })),
  );
  await expectRefused("volumes", [{ volumes: [`${shared}:/a`, `${shared}:/a/`] }]);
  await expectRefused("tmpfs", [{ volumes: [`${shared}:/a`], tmpfs: ["/a"] }]);
  await expectRefused("caches", [{ volumes: [`${shared}:/a`], caches: ["c://a"] }]);
});

describe("bad input 4: a mount's source", () => {
  test("is on the allow-list when one is set, also behind its links", async () => {
    const [allowed, link] = [join(shared, "allowed"), join(shared, "allowed", "link")];
    await mkdir(allowed);
    await symlink("/etc", link);
    await symlink(shared, join(allowed, "up"));
    const policy = { mountSources: [allowed] };
    const sources = [shared, "/etc", "/", link, `${link}/ssl`, join(allowed, "up"), join(allowed, "..")];
    const volumes = sources.map((source) => ({ volumes: [{ source, target: "/x" }] }));
    await expectRefused("volumes[0].source", volumes, { policy });
    await expectRefused("volumes[0].source", volumes, { policy: {} });
    expect(await run({ run: "true", volumes: [`${allowed}:/x`] }, { policy })).toMatchObject({ exitCode: 0 });
  });

  test("is neither the host's root, nor /etc, nor where containerd keeps its things, whoever allows it", async () => {
    const { socketPath, rootDir, directory } = at.daemon;
    const own = [socketPath, dirname(socketPath), rootDir, join(rootDir, "x"), directory, tmpdir()];
    const usual = [
      "/",
      "/etc",
      "/proc/1",
      "/sys",
      "/dev",
      "/run/containerd",
      "/var/lib/containerd/x",
      "/var/lib",
    ];
    const changes = [...own, ...usual].map((source) => ({ volumes: [{ source, target: "/x" }] }));
    await expectRefused("volumes[0].source", changes);
    for (const { allowed } of await issuesOf(changes[0] as object)) expect(allowed).toBe("by no policy");
    const door = join(shared, "door");
    await symlink(rootDir, door);
    await expectRefused("volumes[0].source", [{ volumes: [`${door}:/x`] }]);
  });
});

test("bad input 5: no runtime's socket is a mount's source, under whatever name it is reached", async () => {
  const names = [
    "docker.sock",
    "containerd.sock",
    "containerd.sock.ttrpc",
    "nri.sock",
    "crio.sock",
    "podman.sock",
  ];
  const sources = [
    ...names.map((name) => join(shared, name)),
    "/run/docker.sock",
    "/run/containerd/s/0123",
    "/var/run/docker.sock",
  ];
  const renamed = join(shared, "innocent");
  await symlink(at.daemon.socketPath, renamed);
  await expectRefused(
    "volumes[0].source",
    [...sources, renamed].map((source) => ({ volumes: [{ source, target: "/x" }] })),
  );
});

test("bad input 6: no mount options but ours, and none inside a path", async () => {
  const options = [
    "dev",
    "suid",
    "shared",
    "rshared",
    "exec",
    "ro,dev",
    "ro,upperdir=/x",
    "z",
    "ro:rw",
    " ro",
  ];
  await expectRefused(
    /^volumes\[0\]/,
    options.map((option) => ({ volumes: [`${shared}:/x:${option}`] })),
  );
  const fields = [{ propagation: "shared" }, { options: ["dev"] }, { type: "overlay" }, { readonly: "yes" }];
  await expectRefused(
    /^volumes\[0\]/,
    fields.map((field) => ({ volumes: [{ source: shared, target: "/x", ...field }] })),
  );
  const sources = ["/a:/b", "/a,upperdir=/b", "/a\0", "/a:ro"];
  await expectRefused(
    /^volumes\[0\]/,
    sources.map((source) => ({ volumes: [{ source, target: "/x" }] })),
  );
  await expectRefused(
    /^tmpfs\[0\]/,
    ["/x:dev", "/x:suid", "/x:size=1m,dev"].map((entry) => ({ tmpfs: [entry] })),
  );
});

describe("bad input 24: a directory for output", () => {
  const outcome = (ioDir: string) =>
    run({ run: "true" }, { ioDir }).then(
      ({ exitCode }) => exitCode,
      (reason: unknown) => reason,
    );
  const refusal = (problem: string) => ({
    name: "ExecutorError",
    kind: "invalid-argument",
    message: expect.stringMatching(problem),
  });

  test("that is a link, a file, relative, or open to others is refused", async () => {
    const [open, theirs] = [join(shared, "open"), join(shared, "theirs")];
    for (const directory of [open, theirs]) await mkdir(directory);
    await symlink(open, join(shared, "io-link"));
    await writeFile(join(shared, "io-file"), "");
    expect(await outcome(join(shared, "io-link"))).toMatchObject(refusal("not a link"));
    expect(await outcome(join(shared, "io-file"))).toMatchObject({ name: "ExecutorError" });
    expect(await outcome("relative")).toMatchObject(refusal("absolute"));
    await chmod(open, 0o777);
    expect(await outcome(open)).toMatchObject(refusal("written by other users"));
    await chmod(open, 0o700);
    expect(await outcome(open)).toBe(0);
    await chown(theirs, 12_345, 12_345);
    expect(await outcome(theirs)).toMatchObject(refusal("belongs to user 12345"));
  });

  test.each(["file", "fifo"] as const)(
    "is for its owner alone, and nobody can know its name, in %s mode",
    async (ioMode) => {
      const { client, ioDir } = at;
      await using executor = createExecutor({ client, ioDir, ioMode });
      const names = new Set<string>();
      for (let time = 0; time < 2; time++) {
        const step = executor.start({ ...BUSYBOX, run: "sleep 60" });
        for await (const event of step) {
          if (event.type !== "phase" || event.phase !== "running") continue;
          const directory = join(ioDir, step.id);
          names.add(step.id);
          expect((await stat(directory)).mode & 0o7777).toBe(0o700);
          for (const file of await readdir(directory)) {
            // These are mounted into the container, where every user reads them.
            const isMounted = ["hosts", "hostname", "resolv.conf"].includes(file);
            const mode = (await stat(join(directory, file))).mode & 0o7777;
            expect([file, mode]).toEqual([file, isMounted ? 0o644 : 0o600]);
          }
          step.kill();
        }
        await step.closed;
      }
      expect([...names]).toEqual([
        expect.stringMatching(/^wfe-[0-9a-f]{20}$/),
        expect.stringMatching(/^wfe-/),
      ]);
    },
  );
});
