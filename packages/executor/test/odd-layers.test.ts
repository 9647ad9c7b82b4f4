import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isContainerdError } from "@wfe-containerd/client";
import { createExecutor, type Executor, isExecutorError, type StepIssue } from "@wfe-containerd/executor";
import { once, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { buildImage, busyboxLayer, ociArchive, toBlob } from "@wfe-containerd/test-infra/images";
import { type OddLayer, oddLayers } from "@wfe-containerd/test-infra/images/odd-layers";
import { randomOf } from "@wfe-containerd/test-infra/random";
import { afterAll, beforeAll, expect, test } from "vitest";

const at = useDaemon();

/**
 * `WFE_LAYER_ROUNDS=1000` runs a long search. The seed of a failure is printed; `WFE_LAYER_SEED` runs it
 * again.
 */
const ROUNDS = Number(process.env["WFE_LAYER_ROUNDS"] ?? 12);
const SEED = Number(process.env["WFE_LAYER_SEED"] ?? 1);
const PARALLEL = 3;

let canary: string;
beforeAll(async () => {
  // A file on the daemon's machine that is in no image. A reader that finds it was led out of the image's
  // root.
  canary = await mkdtemp(join(tmpdir(), "wfe-canary-"));
  await writeFile(join(canary, "passwd"), "root:x:0:0::/:\napp:x:7777777:7777777::/:\n");
});
afterAll(() => rm(canary, { recursive: true }));

/** Imports an image: busybox, and these layers on top. False if the daemon does not unpack them. */
async function importLayers(name: string, odd: readonly OddLayer[]): Promise<boolean> {
  const users = { path: "etc/passwd", contents: "root:x:0:0::/:\napp:x:900:901::/:\n", mode: 0o644 };
  const busybox = (await busyboxLayer()).filter(({ path }) => path.startsWith("bin/"));
  const built = await buildImage({ layers: [[...busybox, users]], config: { Cmd: ["/bin/sh"] } });
  const config = JSON.parse(Buffer.from(built.config.bytes).toString());
  config.rootfs.diff_ids.push(...odd.map(({ tar }) => toBlob(tar).digest));
  const manifest = JSON.parse(Buffer.from(built.manifest.bytes).toString());
  const configBlob = toBlob(config);
  manifest.config.digest = configBlob.digest;
  manifest.config.size = configBlob.bytes.byteLength;
  for (const { bytes, mediaType } of odd)
    manifest.layers.push({ mediaType, digest: toBlob(bytes).digest, size: bytes.byteLength });
  const layers = [...built.layers, ...odd.map(({ bytes }) => toBlob(bytes))];
  const image = { ...built, config: configBlob, manifest: toBlob(manifest), layers };
  try {
    await at.client.images.import(once(await ociArchive(image, name)), { name });
    return true;
  } catch (reason) {
    if (!isContainerdError(reason) || reason.operation?.startsWith("unpack layer") !== true) {
      if (!/unpacks to/.test(String(reason))) throw reason;
    }
    return false;
  }
}

/** Prints what the container sees in its own files, and the ids of its process. */
const LOOK = `exec 2>/dev/null
echo is $(id -u):$(id -g):$(id -G | tr ' ' '\\n' | sort -n | tr '\\n' ' ')
echo app $(id -u app):$(id -g app):$(id -G app 2>/dev/null | tr ' ' '\\n' | sort -n | tr '\\n' ' ')
for file in /etc/passwd /etc/group; do [ -f $file ] && echo $file $(base64 $file | tr -d '\\n'); done; true`;

async function look(executor: Executor, image: string, user: string): Promise<Record<string, string>> {
  const { stdout } = await executor.run({ name: "look", image, user, run: LOOK, pull: "never" });
  const lines = stdout.trimEnd().split("\n");
  return Object.fromEntries(lines.map((line) => [line.split(" ")[0], line.slice(line.indexOf(" ") + 1)]));
}

const PATHS = ["/etc/passwd", "/etc/group"];

async function readFiles(name: string): Promise<Map<string, Uint8Array>> {
  const image = await at.client.images.resolve(name);
  const read = (paths: readonly string[]): Promise<Map<string, Uint8Array>> =>
    at.client.images.readFiles(image, paths, { maxBytes: 1024, hiddenPaths: ["/dev", "/proc", "/sys"] });
  const noFile = (reason: unknown): Map<string, Uint8Array> => {
    // The shell does not count a directory or a device as a file either.
    if (isContainerdError(reason, "invalid-argument")) return new Map();
    throw reason;
  };
  return read(PATHS).catch(async (reason: unknown) => {
    noFile(reason);
    const each = await Promise.all(PATHS.map((path) => read([path]).catch(noFile)));
    return new Map(each.flatMap((files) => [...files]));
  });
}

async function compare(
  executor: Executor,
  seed: number,
): Promise<"same" | "nobody" | "unstartable" | "refused"> {
  const name = `docker.io/library/odd-${seed}:1`;
  if (!(await importLayers(name, oddLayers(randomOf(seed), canary)))) return "refused";
  try {
    let seen: Record<string, string>;
    let field: string | undefined;
    try {
      seen = await look(executor, name, "app");
    } catch (reason) {
      if (!isExecutorError(reason, "refused")) throw reason;
      [{ field }] = reason.issues as [StepIssue];
      seen = await look(executor, name, "0:0");
    }
    if (field === undefined) expect(seen["is"]).toBe(seen["app"]);
    else if (field === "user") expect(seen["app"]).toBe("::");
    // One of the paths exists, but is not a file.
    else expect(PATHS.map((path) => seen[path])).toContain(undefined);
    const found = await readFiles(name);
    for (const path of PATHS) {
      const bytes = found.get(path);
      expect(bytes && Buffer.from(bytes).toString("base64"), path).toBe(seen[path]);
      expect(Buffer.from(bytes ?? []).toString()).not.toContain("7777777");
    }
    return field === undefined ? "same" : "nobody";
  } catch (reason) {
    // runc reads and mounts files in /etc itself. It fails if /etc is a link in a circle, or passwd a
    // directory.
    const isOfRuntime = isExecutorError(reason, "runtime") || isExecutorError(reason, "refused");
    if (isOfRuntime && /runc create failed/.test(reason.message)) return "unstartable";
    throw reason;
  } finally {
    await at.client.images.remove(name);
  }
}

test(
  `whoever the container says "app" is, the step is, whatever its ${ROUNDS} images are made of`,
  async () => {
    const before = await at.inventory();
    const executor = createExecutor({ client: at.client, ioDir: at.ioDir });
    const outcomes = { same: 0, nobody: 0, unstartable: 0, refused: 0 };
    const wrong: string[] = [];
    const seeds = Array.from({ length: ROUNDS }, (_, index) => SEED + index);
    const work = async (): Promise<void> => {
      for (let seed = seeds.pop(); seed !== undefined; seed = seeds.pop()) {
        try {
          outcomes[await compare(executor, seed)]++;
        } catch (reason) {
          wrong.push(`WFE_LAYER_ROUNDS=1 WFE_LAYER_SEED=${seed}: ${(reason as Error).message}`);
        }
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, work));
    await executor.close();
    expect(wrong).toEqual([]);
    // Otherwise the test would have proved nothing.
    expect(outcomes.same).toBeGreaterThanOrEqual(Math.floor(ROUNDS / 4));
    if (process.env["WFE_LAYER_ROUNDS"] !== undefined) console.log(JSON.stringify(outcomes));
    await at.client.leases.collectGarbage();
    await at.expectNothingLeft(before);
  },
  600_000 + ROUNDS * 5_000,
);
