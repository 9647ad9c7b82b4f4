import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes, randomInt } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chainIds } from "@wfe-containerd/client";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { ctr } from "@wfe-containerd/test-infra/daemon/ctr";
import { type BuiltImage, buildImage } from "@wfe-containerd/test-infra/images";
import { startRegistry, type TestRegistry } from "@wfe-containerd/test-infra/registry";
import { putAsBuilt } from "@wfe-containerd/test-infra/registry/put-as-built";
import { afterAll, beforeAll, expect, test } from "vitest";

/** Rounds for each victim. Set the variable for more; a round takes some seconds. */
const ROUNDS = Number(process.env["WFE_KILL_ROUNDS"] ?? 3);
const FILE_BYTES = 3 * 1024 * 1024;

const at = useDaemon({ image: false });
let registry: TestRegistry;
beforeAll(async () => {
  registry = await startRegistry();
});
afterAll(() => registry?.[Symbol.asyncDispose]());

interface Puller {
  readonly child: ChildProcess;
  /** Where the puller stopped: its first line of output. */
  readonly stands: Promise<string>;
  /** The puller's last line of output. */
  readonly outcome: Promise<string>;
  /** Lets the puller go on. */
  go(): void;
}

/** @param moment the number of the moment at which to stop; see pull.mjs. */
function startPuller(name: string, moment: number): Puller {
  const script = fileURLToPath(new URL("pull.mjs", import.meta.url));
  const args = [script, at.daemon.socketPath, at.client.namespace, name, String(moment)];
  const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
  // The puller may be dead by then.
  child.stdin.on("error", () => undefined);
  const lines = createInterface({ input: child.stdout });
  let last = "";
  lines.on("line", (line) => {
    last = line;
  });
  const outcome = once(child, "close").then(() => last);
  const stands = Promise.race([once(lines, "line").then(([line]) => line as string), outcome]);
  return {
    child,
    stands,
    outcome,
    go: () => void child.stdin.write("\n"),
  };
}

/** Counts the moments of an undisturbed pull, and finds the last one at which bytes are fetched. */
async function countMoments(
  name: string,
): Promise<{ readonly count: number; readonly lastFetching: number }> {
  const puller = startPuller(name, 0);
  return JSON.parse(await puller.outcome);
}

interface Victim {
  /** Called while the puller is stopped. If the puller survives, it then goes on with what is left. */
  kill(puller: Puller): Promise<void>;
  restart?(): Promise<void>;
  /** The victim is needed only while bytes are fetched. */
  readonly isSource?: boolean;
}

const VICTIMS: Record<string, Victim> = {
  registry: {
    kill: () => registry.kill(),
    restart: () => registry.restart(),
    isSource: true,
  },
  daemon: {
    async kill() {
      at.daemon.kill("SIGKILL");
      await at.daemon.exited;
    },
    restart: () => at.daemon.restart(),
  },
  "puller's process": {
    async kill({ child, outcome }) {
      child.kill("SIGKILL");
      await outcome;
    },
  },
};

/** Every named image must be complete, byte for byte, and unpacked. ctr must agree. */
async function expectWhole(built: BuiltImage): Promise<void> {
  for (const { name } of await at.client.images.list()) {
    expect(await ctr(at, "images", "check", `name==${name}`)).toMatch(/ complete \((\d+)\/\1\) .* true/);
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

async function putNew(): Promise<BuiltImage> {
  const layers = [0, 1, 2].map((each) => [{ path: `file-${each}`, contents: randomBytes(FILE_BYTES) }]);
  const built = await buildImage({ layers, compression: "none" });
  await putAsBuilt(registry.origin, "app", "1", [built]);
  return built;
}

test.each(Object.entries(VICTIMS))(
  "killing the %s at a random moment of a pull never gives an image that is not whole, and the next pull leaves nothing of it",
  async (_, { kill, restart, isSource = false }) => {
    const name = `${registry.host}/app:1`;
    await putNew();
    const { count, lastFetching } = await countMoments(name);
    await at.client.images.remove(name, { sync: true });
    for (let round = 0; round < ROUNDS; round++) {
      const built = await putNew();
      const puller = startPuller(name, 1 + randomInt(isSource ? lastFetching : count));
      const where = await puller.stands;
      expect(where).toMatch(/^stands at /);
      await kill(puller);
      puller.go();
      await delay(randomInt(300));
      await restart?.();
      console.log(`${where}: ${await puller.outcome}`);
      await expectWhole(built);

      await at.client.images.pull(name, { auth: "anonymous" });
      await expectWhole(built);
      expect(await at.client.leases.list()).toEqual([]);
      // The pull has deleted the dead puller's lease, so its partial content is removed too.
      await at.client.images.remove(name, { sync: true });
      expect(await at.client.content.listStatuses()).toEqual([]);
      for await (const { digest } of at.client.content.list()) expect.unreachable(`${digest} is left`);
    }
  },
  ROUNDS * 60_000,
);
