import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes, randomInt } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chainIds } from "@wfe-containerd/client";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { type BuiltImage, buildImage } from "@wfe-containerd/test-infra/images";
import { startRegistry, type TestRegistry } from "@wfe-containerd/test-infra/registry";
import { putAsBuilt } from "@wfe-containerd/test-infra/registry/put-as-built";
import { afterAll, beforeAll, expect, test } from "vitest";

/** More of them by hand: they take about a second each. */
const ROUNDS = Number(process.env["WFE_KILL_ROUNDS"] ?? 9);
const FILE_BYTES = 3 * 1024 * 1024;
/** About as long as a pull takes. */
const LONGEST_MS = 500;

const at = useDaemon({ image: false });
let registry: TestRegistry;
beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry?.[Symbol.asyncDispose]());

interface Puller {
  readonly child: ChildProcess;
  readonly begun: Promise<unknown>;
  /** The last it said. */
  readonly outcome: Promise<string>;
}

function startPuller(name: string): Puller {
  const script = fileURLToPath(new URL("pull.mjs", import.meta.url));
  const args = [script, at.daemon.socketPath, at.client.namespace, name];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout });
  let last = "";
  lines.on("line", (line) => {
    last = line;
  });
  const outcome = once(child, "close").then(() => last);
  return { child, begun: Promise.race([once(lines, "line"), outcome]), outcome };
}

const VICTIMS: Record<string, (puller: Puller) => Promise<void>> = {
  async registry() {
    await registry.kill();
    await delay(randomInt(300));
    await registry.restart();
  },
  async daemon() {
    at.daemon.kill("SIGKILL");
    await at.daemon.exited;
    await delay(randomInt(300));
    await at.daemon.restart();
  },
  async "puller's process"({ child }) {
    child.kill("SIGKILL");
  },
};

/** Whatever has a name must be whole, byte for byte, and unpacked. */
async function expectWhole(built: BuiltImage): Promise<void> {
  for (const { name } of await at.client.images.list()) {
    const image = await at.client.images.resolve(name);
    for (const { digest, size } of [image.manifest, image.configDescriptor, ...image.layers]) {
      const hash = createHash("sha256");
      let bytes = 0;
      for await (const chunk of at.client.content.read(digest)) {
        hash.update(chunk);
        bytes += chunk.byteLength;
      }
      expect({ digest: `sha256:${hash.digest("hex")}`, size: bytes }).toEqual({ digest, size });
    }
    for (const chain of chainIds(image.diffIds)) {
      const snapshot = await at.client.snapshots.stat(chain);
      expect(snapshot.kind).toBe("committed");
      expect((await at.client.snapshots.usage(chain)).sizeBytes).toBeGreaterThanOrEqual(FILE_BYTES);
    }
    expect(image.manifest.digest).toBe(built.manifest.digest);
  }
}

test.each(Object.keys(VICTIMS))(
  "killing the %s at a random moment never gives an image that is not whole, and the next pull leaves nothing of it",
  async (victim) => {
    const outcomes: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const layers = [0, 1, 2].map((each) => [{ path: `file-${each}`, contents: randomBytes(FILE_BYTES) }]);
      const built = await buildImage({ layers, compression: "none" });
      const name = `${registry.host}/app:1`;
      await putAsBuilt(registry.origin, "app", "1", [built]);
      const puller = startPuller(name);
      await puller.begun;
      await delay(randomInt(LONGEST_MS));
      await VICTIMS[victim]?.(puller);
      outcomes.push(await puller.outcome);
      await expectWhole(built);

      await at.client.images.pull(name, { auth: "anonymous" });
      await expectWhole(built);
      expect(await at.client.leases.list()).toEqual([]);
      // What the dead had half brought goes with the lease that the pull has deleted.
      await at.client.images.remove(name, { sync: true });
      expect(await at.client.content.listStatuses()).toEqual([]);
      for await (const { digest } of at.client.content.list()) expect.unreachable(`${digest} is left`);
    }
    console.log(`${victim}: ${outcomes.join(", ")}`);
  },
  60_000 + ROUNDS * 10_000,
);
