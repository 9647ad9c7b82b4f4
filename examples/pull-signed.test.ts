import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { buildImage } from "@wfe-containerd/test-infra/images";
import { startRegistry, type TestRegistry } from "@wfe-containerd/test-infra/registry";
import { putAsBuilt } from "@wfe-containerd/test-infra/registry/put-as-built";
import { putSignedImage } from "@wfe-containerd/test-infra/registry/signed-image";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";

const at = useDaemon({ image: false });
let registry: TestRegistry;
let directory: string;

beforeAll(async () => {
  registry = await startRegistry();
  directory = await mkdtemp(join(tmpdir(), "signed-"));
});
afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});
afterEach(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  for (const { name } of await at.client.images.list()) await at.client.images.remove(name, { sync: true });
});

/** Runs the example again. */
async function run(tag: string, publicKey: string): Promise<string[]> {
  const file = join(directory, "cosign.pub");
  await writeFile(file, publicKey);
  vi.stubEnv("WFE_CONTAINERD_ADDR", at.daemon.address);
  vi.stubEnv("CONTAINERD_NAMESPACE", at.client.namespace);
  vi.stubEnv("IMAGE", `${registry.host}/app:${tag}`);
  vi.stubEnv("COSIGN_PUBLIC_KEY", file);
  const printed: string[] = [];
  vi.spyOn(console, "log").mockImplementation((line: string) => void printed.push(line));
  vi.resetModules();
  await import("./pull-signed.js");
  return printed;
}

const build = (contents: string) => buildImage({ layers: [[{ path: "file", contents }]] });

test("an image that bears our signature is pulled", async () => {
  const { publicKey } = await putSignedImage(registry.origin, "app", "ours", await build("ours"));
  expect(await run("ours", publicKey)).toEqual([`${registry.host}/app:ours is signed, and here`]);
});

test.each([
  [
    "somebody else's signature",
    async () => (await putSignedImage(registry.origin, "app", "theirs", await build("theirs"))).digest,
  ],
  [
    "a signature of another image",
    async () =>
      (
        await putSignedImage(
          registry.origin,
          "app",
          "theirs",
          await build("other"),
          `sha256:${"0".repeat(64)}`,
        )
      ).digest,
  ],
  [
    "no signature",
    async () => (await putAsBuilt(registry.origin, "app", "theirs", [await build("unsigned")])).digest,
  ],
])("one with %s is not", async (_, put) => {
  await put();
  const { publicKey } = await putSignedImage(registry.origin, "app", "ours", await build("ours"));
  await expect(run("theirs", publicKey)).rejects.toThrow(/no signature of ours|404/);
  expect(await at.client.images.list()).toEqual([]);
});
