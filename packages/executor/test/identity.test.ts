import { access } from "node:fs/promises";
import { createExecutor, type ExecutorOptions, type StepInput } from "@wfe-containerd/executor";
import { once, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { buildImage, busyboxLayer, ociArchive } from "@wfe-containerd/test-infra/images";
import { describe, expect, test } from "vitest";

const daemon_ = useDaemon();

function run(change: Partial<StepInput>, options: ExecutorOptions = {}) {
  const executor = createExecutor({ client: daemon_.client, ioDir: daemon_.ioDir, ...options });
  const step = { name: "who", image: "busybox", ...change } as StepInput;
  return executor.run(step).finally(() => executor.close());
}

describe("init", () => {
  test("runs the program, reaps what it leaves, and keeps its exit code", async () => {
    // The orphan ends before its grandparent. If nothing reaps it, it stays a zombie, and is told as one.
    const script = `set +e; (sh -c 'echo $$ > /tmp/pid; exec sleep 0.05' & exec true); readlink /proc/1/exe
      until [ -s /tmp/pid ]; do sleep 0.01; done; orphan=/proc/$(cat /tmp/pid); looks=600
      while [ -d $orphan ] && [ $((looks -= 1)) -gt 0 ]; do sleep 0.05; done
      grep -s State: $orphan/status; exit 7`;
    const result = await run({ run: script, init: true });
    expect(result).toMatchObject({ exitCode: 7, stdout: "/dev/init\n", stderr: "" });
  });

  test("passes the stop signal on", async () => {
    const executor = createExecutor({ client: daemon_.client, ioDir: daemon_.ioDir });
    const step = executor.start({
      name: "stopped",
      image: "busybox",
      run: "trap 'echo bye; exit 3' TERM; echo on; while :; do sleep 0.05; done",
      init: true,
    });
    for await (const event of step) if (event.type === "output") step.stop();
    expect(await step.result).toMatchObject({ exitCode: 3, cause: "aborted", stdout: "on\nbye\n" });
    await executor.close();
  });

  test("is where the operator says, or it is said that it is not there", async () => {
    const before = await daemon_.inventory();
    await expect(run({ run: "true", init: true }, { init: "/no/such/init" })).rejects.toMatchObject({
      kind: "runtime",
      message: expect.stringContaining("/no/such/init"),
    });
    await daemon_.expectNothingLeft(before);
  });
});

test("further groups are given by number and by the image's name; an unknown one is refused", async () => {
  const result = await run({ run: "id -G", user: "1000:7", groupAdd: [44, "root"] });
  expect(result.stdout).toBe("7 0 44\n");
  await expect(run({ run: "true", groupAdd: ["nobodys"] })).rejects.toMatchObject({
    kind: "refused",
    issues: [{ field: "groupAdd" }],
  });
});

describe("a working directory", () => {
  const LOOK = "stat -c '%u:%g %a' .; touch x && echo wrote";

  test("that the image does not have is made, and the user's own", async () => {
    const before = await daemon_.inventory();
    const made = await run({ run: LOOK, workingDir: "/builds/project", user: "1000:7" });
    expect(made).toMatchObject({ exitCode: 0, stdout: "1000:7 755\nwrote\n" });
    expect((await run({ run: LOOK, workingDir: "/builds" })).stdout).toBe("65534:65534 755\nwrote\n");
    await daemon_.expectNothingLeft(before);
  });

  test("that the image has stays as it is", async () => {
    expect((await run({ run: LOOK, workingDir: "/tmp" })).stdout).toBe("0:0 1777\nwrote\n");
    expect(await run({ run: LOOK, workingDir: "/etc" })).toMatchObject({ exitCode: 1, stdout: "0:0 755\n" });
    expect((await run({ run: "stat -c '%u:%g %a' .", workingDir: "/home/builder" })).stdout).toBe(
      "1000:1000 755\n",
    );
  });

  test("that the image has stays as it is, though a mount comes into it by a link", async () => {
    const name = "docker.io/library/linked:latest";
    const layer = [...(await busyboxLayer()), { path: "work/" }, { path: "link", symlink: "/work" }];
    await daemon_.client.images.import(once(await ociArchive(await buildImage({ layers: [layer] }), name)), {
      name,
    });
    const step = { image: "linked", run: LOOK, workingDir: "/work", tmpfs: ["/link/sub"] };
    expect(await run(step)).toMatchObject({ exitCode: 1, stdout: "0:0 755\n" });
    await daemon_.client.images.remove(name);
  });

  test("that something is mounted on is what is mounted", async () => {
    expect((await run({ run: LOOK, workingDir: "/scratch", tmpfs: ["/scratch"] })).stdout).toBe(
      "0:0 1777\nwrote\n",
    );
  });
});

describe("a user namespace", () => {
  const isMapped = (): Promise<boolean> =>
    daemon_.client.introspection
      .plugins(["type==io.containerd.snapshotter.v1,id==overlayfs"])
      .then((plugins) => plugins.some(({ capabilities }) => capabilities.includes("remap-ids")));

  test("makes root of the step somebody else on the daemon's machine, or is refused where it cannot be had", async () => {
    const step = run({
      user: "0",
      userNamespace: true,
      run: "id -u; cat /proc/self/uid_map; stat -c %u /bin/busybox; touch /x && stat -c %u /x",
    });
    if (!(await isMapped())) {
      await expect(step).rejects.toMatchObject({ kind: "refused", issues: [{ field: "userNamespace" }] });
      return;
    }
    const { stdout, stderr } = await step;
    expect(stderr).toBe("");
    expect(stdout.split("\n").map((line) => line.trim().split(/\s+/).join(" "))).toEqual([
      "0",
      "0 1000000000 65536",
      "0",
      "0",
      "",
    ]);
  });

  test("holds no ids beyond its range", async () => {
    if (!(await isMapped())) return;
    const options = { userNamespace: { hostId: 2_000_000, size: 1000 } };
    await expect(run({ run: "true", userNamespace: true }, options)).rejects.toMatchObject({
      kind: "refused",
      issues: [{ field: "user" }],
    });
    const { stdout } = await run(
      { run: "cat /proc/self/uid_map", user: "7:7", userNamespace: true },
      options,
    );
    expect(stdout.trim().split(/\s+/)).toEqual(["0", "2000000", "1000"]);
  });

  test.each([{ hostId: 0 }, { hostId: 2 ** 31 }, { size: 0 }, { hostId: 1.5 }])(
    "%j is no range of ids",
    (userNamespace) => {
      expect(() => createExecutor({ userNamespace })).toThrow("userNamespace");
    },
  );
});

test("a step names no daemon that the operator does not", async () => {
  const elsewhere = { run: "true", containerdAddr: daemon_.daemon.address };
  await expect(run(elsewhere)).rejects.toMatchObject({
    kind: "refused",
    issues: [{ field: "containerdAddr", allowed: expect.stringContaining("addresses") }],
  });
  const policy = { addresses: [daemon_.daemon.address] };
  expect(await run(elsewhere, { policy })).toMatchObject({ exitCode: 0 });
  await access(daemon_.ioDir);
});
