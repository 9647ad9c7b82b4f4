import { mkdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  createExecutor,
  type ExecutorOptions,
  openWorkspace,
  removeVolume,
  type SecretValues,
  type StepInput,
} from "@wfe-containerd/executor";
import { describe, expect, test } from "vitest";
import { useRemoteDaemon } from "./use-remote-daemon.js";

const at = useRemoteDaemon();

test("a step with a volume in the shared directory runs, and its output comes through that directory", async () => {
  const { client, ioDir, base } = at;
  await using executor = createExecutor({ client, ioDir, policy: { mountSources: [base] } });
  const source = join(ioDir, "data");
  await mkdir(source, { mode: 0o777 });
  await writeFile(join(source, "in.txt"), "from the executor\n");
  const before = await at.inventory();
  const result = await executor.run({
    name: "remote",
    image: "busybox",
    user: "0:0",
    run: 'cat /data/in.txt; echo "from the step" > /data/out.txt; echo "##wfe[output where=$(hostname)]"; echo err >&2; exit 7',
    volumes: [{ source, target: "/data" }],
  });
  expect(result).toMatchObject({ exitCode: 7, cause: "exit", stderr: "err\n" });
  expect(result.stdout).toMatch(/^from the executor\n/);
  expect(await readFile(join(source, "out.txt"), "utf8")).toBe("from the step\n");
  await rm(join(source, "out.txt"));
  await at.expectNothingLeft(before);
  await rm(source, { recursive: true });
});

test("nothing else is shared: a path of the executor's is not there", async () => {
  const { client, ioDir, base, daemon } = at;
  await using executor = createExecutor({ client, ioDir, policy: { mountSources: [base] } });
  const source = join(base, "private");
  await mkdir(source);
  await expect(
    executor.run({
      name: "elsewhere",
      image: "busybox",
      run: "true",
      volumes: [{ source, target: "/data" }],
    }),
  ).rejects.toMatchObject({
    kind: "refused",
    issues: [{ field: "volumes", message: `the daemon's machine has no ${source}` }],
  });
  for (const kind of ["mnt", "net", "pid"]) {
    expect(await readlink(`/proc/${daemon.pid}/ns/${kind}`)).not.toBe(
      await readlink(`/proc/self/ns/${kind}`),
    );
  }
});

describe("over containerd's API alone, a step there", () => {
  /** Runs a step under a policy that allows what these steps need. Expects nothing to be left. */
  async function run(step: Partial<StepInput>, options: ExecutorOptions = {}, secrets: SecretValues = {}) {
    const { client, ioDir } = at;
    const before = await at.inventory();
    const policy = { volumes: "any", bridgeNetwork: true } as const;
    await using executor = createExecutor({ client, ioDir, policy, ...options });
    const result = await executor.run({ name: "there", image: "busybox", ...step } as StepInput, { secrets });
    await at.expectNothingLeft(before);
    return result;
  }

  test("is told secrets", async () => {
    const script = "stat -c '%a %u:%g' /run/secrets/token; tr a-z b-za < /run/secrets/token";
    const result = await run({ secrets: ["token"], run: script }, {}, { token: "secret-canary-there" });
    expect(result).toMatchObject({ exitCode: 0, stdout: "400 65534:65534\ntfdsfu-dbobsz-uifsf" });
  });

  test("is a user by a name of the image's, in groups of it, in a directory of its own", async () => {
    const result = await run({
      user: "builder",
      groupAdd: ["video"],
      workingDir: "/made/here",
      run: "id -un; id -Gn | tr ' ' '\\n' | grep video; stat -c %U .; pwd; touch file",
    });
    expect(result).toMatchObject({ exitCode: 0, stdout: "builder\nvideo\nbuilder\n/made/here\n" });
  });

  test("finds in a cache what the one before it left", async () => {
    const { client, ioDir } = at;
    const step = { caches: ["kept:/cache"], run: "cat /cache/file || true; echo kept > /cache/file" };
    await using executor = createExecutor({ client, ioDir, policy: { volumes: "any" } });
    const both = { name: "there", image: "busybox", ...step };
    expect(await executor.run(both)).toMatchObject({ exitCode: 0, stdout: "" });
    expect(await executor.run(both)).toMatchObject({ exitCode: 0, stdout: "kept\n" });
    await removeVolume(client, "kept");
  });

  test("shares a workspace with a step of another user", async () => {
    const { client, ioDir } = at;
    const before = await at.inventory();
    {
      await using workspace = await openWorkspace(client, { shared: true });
      await using executor = createExecutor({ client, ioDir });
      const there = {
        name: "there",
        image: "busybox",
        volumes: [`${workspace.name}:/work`],
        workingDir: "/work",
      };
      const first = await executor.run({ ...there, run: "echo first > file; stat -c %u ." });
      expect(first).toMatchObject({ exitCode: 0, stdout: "65534\n" });
      const second = await executor.run({
        ...there,
        user: "7",
        run: "echo second >> file; cat file; stat -c %u .",
      });
      expect(second).toMatchObject({ exitCode: 0, stdout: "first\nsecond\n7\n" });
    }
    await at.expectNothingLeft(before);
  });

  test("has the init that its machine has, of which the operator tells", async () => {
    await expect(run({ init: true, run: "true" })).rejects.toMatchObject({ issues: [{ field: "init" }] });
    const result = await run({ init: true, run: "readlink /proc/1/exe" }, { init: "/usr/bin/tini-static" });
    expect(result).toMatchObject({ exitCode: 0, stdout: "/dev/init\n" });
  });

  test("joins the bridge of its machine", async () => {
    const result = await run({
      network: "bridge",
      run: "ip -4 addr show eth0 | grep -o 'inet 10.87.[0-9.]*'; cat /etc/resolv.conf",
    });
    expect(result.stdout).toMatch(/^inet 10\.87\.\d+\.\d+\n/);
    expect(await readFile(`/proc/${at.daemon.pid}/net/dev`, "utf8")).toContain("wfe0:");
  });

  test("is killed for its memory, and the result says so", async () => {
    const result = await run({ memory: "16m", run: "exec tail -c 200m /dev/zero" });
    expect(result).toMatchObject({ exitCode: 137, cause: "oom" });
  });
});

test("a step outlives the connection to its daemon", async () => {
  const { client, ioDir, base, daemon } = at;
  await using executor = createExecutor({ client, ioDir, policy: { mountSources: [base] } });
  const handle = executor.start({
    name: "cut",
    image: "busybox",
    run: "echo one; sleep 1; echo two; exit 4",
  });
  for await (const event of handle) {
    if (event.type !== "output") continue;
    daemon.cut();
    break;
  }
  expect(await handle.result).toMatchObject({ exitCode: 4, cause: "exit", stdout: "one\ntwo\n" });
  await handle.closed;
});
