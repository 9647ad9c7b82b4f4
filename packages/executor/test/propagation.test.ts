import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createExecutor, UNRESTRICTED_POLICY } from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const at = useDaemon();
const run = promisify(execFile);
const STEP = { name: "mounts", image: "busybox" };
let source: string;

beforeAll(async () => {
  source = await realpath(await mkdtemp(join(tmpdir(), "test-propagation-")));
  // Steps run as nobody, and must be able to read it.
  await chmod(source, 0o755);
  for (const name of ["later", "inside"]) await mkdir(join(source, name));
  await run("mount", ["--bind", source, source]);
});
afterAll(async () => {
  await run("umount", [source]);
  await rm(source, { recursive: true });
});

function executor() {
  return createExecutor({ client: at.client, ioDir: at.ioDir, policy: UNRESTRICTED_POLICY });
}

/** What a step lists in its volume at /v, if something is mounted in the source while the step runs. */
async function listed(volume: string): Promise<string> {
  await using runner = executor();
  const handle = runner.start({
    ...STEP,
    volumes: [volume],
    run: "echo on; until [ -e /v/go ]; do sleep 0.02; done; ls /v/later",
  });
  const later = join(source, "later");
  for await (const event of handle) {
    if (event.type !== "output") continue;
    await run("mount", ["-t", "tmpfs", "none", later]);
    await writeFile(join(later, "file"), "");
    await writeFile(join(source, "go"), "");
    break;
  }
  const { stdout } = await handle.result;
  await run("umount", [later]);
  await rm(join(source, "go"));
  return stdout;
}

describe("of a source on a shared mount", () => {
  beforeAll(() => run("mount", ["--make-shared", source]));

  test("a step sees what is mounted later when it is a slave of it, and only then", async () => {
    expect(await listed(`${source}:/v:rslave`)).toBe("on\nfile\n");
    expect(await listed(`${source}:/v:rprivate`)).toBe("on\n");
    expect(await listed(`${source}:/v`)).toBe("on\n");
  });

  test("what even a privileged step mounts in it stays in the step", async () => {
    await using runner = executor();
    const result = await runner.run({
      ...STEP,
      user: "0",
      privileged: true,
      volumes: [`${source}:/v:rslave`],
      run: "mount -t tmpfs none /v/inside && touch /v/inside/file && ls /v/inside",
    });
    expect(result).toMatchObject({ exitCode: 0, stdout: "file\n" });
    expect(await readdir(join(source, "inside"))).toEqual([]);
  });
});

test("rslave of a source on a private mount would do nothing, and is refused", async () => {
  await run("mount", ["--make-private", source]);
  await using runner = executor();
  await expect(runner.run({ ...STEP, volumes: [`${source}:/v:rslave`], run: "true" })).rejects.toMatchObject({
    kind: "refused",
    issues: [{ field: "volumes[0].propagation", allowed: expect.stringContaining("--make-shared") }],
  });
});
