import { chmod, mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Client, createClient, type Interceptor } from "@wfe-containerd/client";
import { createExecutor, type StepInput } from "@wfe-containerd/executor";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { useRefusals } from "./refusals.js";

const { at, withImage } = useRefusals();
let allowed: string;
let source: string;

beforeEach(async () => {
  allowed = await mkdtemp(join(tmpdir(), "test-sources-"));
  source = join(allowed, "source");
  await mkdir(source);
  await writeFile(join(source, "file"), "ours\n");
});
afterEach(() => rm(allowed, { recursive: true }));

function run(change: Partial<StepInput>, client: Client = at.client) {
  const executor = createExecutor({ client, ioDir: at.ioDir, policy: { mountSources: [allowed] } });
  const step = { name: "mounts", image: "busybox", user: "0", ...change } as StepInput;
  return executor.run(step).finally(() => executor.close());
}

/** Replaces the source by a link. A step that has the directory above it could do the same. */
async function swap(): Promise<void> {
  await rename(source, join(allowed, "moved"));
  await symlink("/etc", source);
}

const refusal = (message: RegExp) => ({
  kind: "refused",
  issues: [{ field: "volumes[0].source", message: expect.stringMatching(message) }],
});

describe("a source that becomes a link to elsewhere", () => {
  const step = { run: "cat /x/file" };

  /** A client that swaps the source before it creates something. */
  function swapping(service: string): Client {
    const interceptor: Interceptor = (next) => async (request) => {
      if (request.method.name === "Create" && request.service.typeName.includes(`.${service}.`)) await swap();
      return next(request);
    };
    const { address, namespace } = at.client;
    return createClient({ address, namespace, interceptors: [interceptor] });
  }

  test("while the image is got is refused", async () => {
    await using client = swapping("leases");
    const running = run({ ...step, volumes: [`${source}:/x`] }, client);
    await expect(running).rejects.toMatchObject(refusal(/the accounts and keys of the daemon's machine/));
  });

  test("in the last moment is refused, and nothing of the step has run", async () => {
    await using client = swapping("tasks");
    const running = run({ ...step, volumes: [`${source}:/x`] }, client);
    await expect(running).rejects.toMatchObject(refusal(/changed between the check and the mount/));
  });
});

test("a link inside of what is allowed is followed once, and the same is mounted", async () => {
  await symlink("source", join(allowed, "link"));
  const result = await run({ volumes: [`${allowed}/link:/x`], run: "cat /x/file" });
  expect(result).toMatchObject({ exitCode: 0, stdout: "ours\n" });
});

test("a target behind links of the image is confirmed where they lead in the container", async () => {
  const links = [
    { path: "srv", symlink: "/run/one" },
    { path: "run/one", symlink: "../../../tmp/./two" },
    { path: "tmp/two/file" },
  ];
  await withImage(
    {},
    async (image) => {
      const result = await run({ image, volumes: [`${source}:/srv/x`], run: "cat /tmp/two/x/file" });
      expect(result).toMatchObject({ exitCode: 0, stdout: "ours\n" });
    },
    links,
  );
});

test("files, a source in a source, a target in a target, and one source twice are had", async () => {
  await mkdir(join(source, "inner"));
  const volumes = [
    `${source}:/a`,
    `${source}/inner:/a/inner`,
    `${source}/file:/a/inner/f`,
    `${source}:/b:ro`,
  ];
  const result = await run({ volumes, run: "cat /a/file /a/inner/f /b/file" });
  expect(result).toMatchObject({ exitCode: 0, stdout: "ours\n".repeat(3) });
});

test("what is not there, and what the executor may not look at, is refused by its field", async () => {
  await expect(run({ volumes: [`${allowed}/none:/x`], run: "true" })).rejects.toMatchObject(
    refusal(/ENOENT/),
  );
  await symlink("/etc", join(source, "link"));
  await chmod(allowed, 0o711);
  await chmod(source, 0o700);
  await at.client.version();
  process.seteuid?.(65_534);
  try {
    const running = run({ volumes: [`${source}/link:/x`], run: "true" });
    await expect(running).rejects.toMatchObject(refusal(/EACCES/));
  } finally {
    process.seteuid?.(0);
  }
});
