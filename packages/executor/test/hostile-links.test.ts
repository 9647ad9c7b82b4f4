import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createExecutor,
  isExecutorError,
  type Policy,
  removeVolume,
  type StepInput,
} from "@wfe-containerd/executor";
import { once, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { buildImage, busyboxLayer, type LayerEntry, ociArchive } from "@wfe-containerd/test-infra/images";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

const at = useDaemon();
const IMAGE = "docker.io/library/links:latest";
/** A kernel parameter of the whole machine that accepts only numbers: an accidental write changes nothing. */
const PARAMETER = "/proc/sys/kernel/printk_ratelimit";

let host: string;
beforeAll(async () => {
  host = await mkdtemp(join(tmpdir(), "wfe-links-"));
  await chmod(host, 0o711);
});
afterAll(() => rm(host, { recursive: true, force: true }));
afterEach(() => at.client.images.remove(IMAGE, { sync: true }).catch(() => undefined));

/** Imports busybox with these entries, which replace its own at the same paths. */
async function importImage(entries: readonly LayerEntry[]): Promise<void> {
  const taken = new Set(entries.map(({ path }) => path.replace(/\/$/, "")));
  const base = (await busyboxLayer()).filter(({ path }) => !taken.has(path.replace(/\/$/, "")));
  const archive = await ociArchive(await buildImage({ layers: [[...base, ...entries]] }), IMAGE);
  await at.client.images.import(once(archive), { name: IMAGE });
}

async function run(step: Partial<StepInput>, policy: Partial<Policy> = {}, secrets = {}) {
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir, policy });
  return await executor.run({ name: "links", image: IMAGE, user: "0", ...step } as StepInput, { secrets });
}

describe("an image whose", () => {
  test.each([
    [
      "/dev is its working directory's link",
      [
        { path: "dev", symlink: "/proc/self/cwd" },
        { path: "null", symlink: PARAMETER },
      ],
    ],
    [
      "/dev is its root's link",
      [
        { path: "dev", symlink: "/proc/self/root" },
        { path: "null", symlink: PARAMETER },
      ],
    ],
    [
      "/dev is a link to where /dev/null is one",
      [{ path: "dev", symlink: "/d" }, { path: "d/" }, { path: "d/null", symlink: PARAMETER }],
    ],
    ["/dev is a file", [{ path: "dev", contents: "none" }]],
    ["/proc is a link", [{ path: "proc", symlink: "/tmp" }]],
    ["/sys is a link", [{ path: "sys", symlink: "../../.." }]],
  ])("%s has the real ones of a container", async (_, entries) => {
    await importImage(entries);
    const script =
      "stat -c '%F %t,%T' /dev/null; for d in /dev /proc /sys; do stat -f -c %T $d; done; echo end";
    for (const user of ["0", "65534:65534"]) {
      const { stdout, stderr, exitCode } = await run({ user, run: script });
      expect({ stdout, stderr, exitCode }).toEqual({
        stdout: "character special file 1,3\ntmpfs\nproc\nsysfs\nend\n",
        stderr: "",
        exitCode: 0,
      });
    }
  });

  test("/dev leads to a directory of the machine changes nothing in that", async () => {
    const outside = join(host, "outside");
    await mkdir(outside);
    await importImage([{ path: "dev", symlink: outside }, { path: `${outside.slice(1)}/` }]);
    expect(await run({ run: "echo on" })).toMatchObject({ exitCode: 0, stdout: "on\n" });
    expect(await readdir(outside)).toEqual([]);
  });
});

describe("a volume", () => {
  const policy = { volumes: "any" } as const;
  afterEach(async () => {
    for (const name of ["one", "two"]) await removeVolume(at.client, name).catch(() => undefined);
  });
  const look = "stat -c '%F' /dev/null; stat -f -c %T /dev /proc /sys; echo end";
  const REAL = "character special file\ntmpfs\nproc\nsysfs\nend\n";

  test.each(["/dev", "/dev/shm", "/sys", "/sys/fs"])(
    "does not come to lie on %s by a link of the image",
    async (target) => {
      await importImage([{ path: "x", symlink: target }]);
      await run({ caches: ["one:/v"], run: `ln -s ${PARAMETER} /v/null` }, policy);
      expect(await run({ caches: ["one:/x"], run: look }, policy)).toMatchObject({ stdout: REAL });
    },
  );

  test.each(["/proc", "/proc/sys"])(
    "is refused on %s, by a link of the image: the runtime does not mount there",
    async (target) => {
      await importImage([{ path: "x", symlink: target }]);
      await expect(run({ caches: ["one:/x"], run: "true" }, policy)).rejects.toMatchObject({
        kind: "refused",
        issues: [{ field: "caches", message: expect.stringContaining("nothing can be mounted on /x") }],
      });
    },
  );

  test("does not come to lie on /dev by a link in another volume", async () => {
    await importImage([]);
    const volumes = ["one:/v", "two:/w"];
    await run({ volumes, run: `ln -s ${PARAMETER} /w/null; ln -s /dev /v/d` }, policy);
    expect(await run({ volumes: ["one:/v", "two:/v/d"], run: look }, policy)).toMatchObject({ stdout: REAL });
  });

  test("that a link of the image makes the working directory keeps its owner", async () => {
    const volume = join(host, "volume");
    await mkdir(volume, { mode: 0o700 });
    await importImage([{ path: "a/" }, { path: "l", symlink: "/a" }]);
    const step = { user: "1000", volumes: [`${volume}:/l/x`], workingDir: "/a/x", run: "true" };
    await run(step, { mountSources: [host] });
    const { uid, mode } = await stat(volume);
    expect([uid, mode & 0o777]).toEqual([0, 0o700]);
  });
});

describe("a secret", () => {
  const secrets = { token: "secret-canary-token" };
  const SHIFTED = "tfdsfu-dbobsz-uplfo";
  const policy = (): Partial<Policy> => ({ mountSources: [host], volumes: "any" });

  test.each([
    ["the directory of one", "/run/secrets"],
    ["what a directory of one lies in", "/run"],
    ["a place in a directory of one", "/run/secrets/token/data"],
  ])("is refused beside a mount on %s, and what is there stays", async (_, target) => {
    await importImage([]);
    const precious = join(host, "precious");
    await writeFile(precious, "x");
    await expect(
      run({ volumes: [`${host}:${target}`], secrets: ["token"], run: "true" }, policy(), secrets),
    ).rejects.toMatchObject({ kind: "invalid-step", issues: [{ field: "secrets" }] });
    await expect(
      run({ tmpfs: [target], secrets: ["token"], run: "true" }, policy(), secrets),
    ).rejects.toMatchObject({ kind: "invalid-step", issues: [{ field: "secrets" }] });
    expect(await readFile(precious, "utf8")).toBe("x");
  });

  test("goes to no place that somebody else could change, wherever the image's links lead", async () => {
    const shared = join(host, "shared");
    await mkdir(join(shared, "secrets"), { recursive: true });
    for (const [target, entries] of [
      ["/v", [{ path: "run", symlink: "/v" }]],
      ["/w", [{ path: "w", symlink: "/run" }, { path: "run/" }]],
      ["/w", [{ path: "w", symlink: "/.wfe-secrets" }]],
      ["/w", [{ path: "w", symlink: "/a/../.wfe-secrets/0" }, { path: "a/" }]],
    ] as const) {
      await importImage(entries);
      const step = {
        volumes: [`${shared}:${target}`],
        secrets: ["token"],
        run: "tr a-z b-za < /.wfe-secrets/0/token; stat -f -c %T /.wfe-secrets",
      };
      // If the link keeps the volume from its target, the error must say so.
      const result = await run(step, policy(), secrets).catch((reason: unknown) => reason);
      if (isExecutorError(result))
        expect(result).toMatchObject({ kind: "refused", issues: [{ field: "volumes[0].source" }] });
      else expect(result).toMatchObject({ stdout: `${SHIFTED}tmpfs\n` });
      expect(await readdir(shared, { recursive: true })).toEqual(["secrets"]);
      await at.client.images.remove(IMAGE, { sync: true });
    }
  });

  test("may be in a directory that is in another one's", async () => {
    await importImage([]);
    const step = {
      secrets: [
        { name: "token", target: "/keys/token" },
        { name: "inner", target: "/keys/more/inner", mask: false },
        { name: "other", target: "/keys-too/other", mask: false },
      ],
      run: "cd /keys; tr a-z b-za < token; cat more/inner /keys-too/other; ls /keys; stat -c %F%a token more/inner",
    };
    expect(await run(step, {}, { ...secrets, inner: "+", other: "-\n" })).toMatchObject({
      stdout: `${SHIFTED}+-\nmore\ntoken\nregular file400\nregular file400\n`,
      stderr: "",
    });
  });
});
