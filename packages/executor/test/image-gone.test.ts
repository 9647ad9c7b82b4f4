import { Readable } from "node:stream";
import { createClient } from "@wfe-containerd/client";
import { createExecutor, isExecutorError, type StepInput } from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { buildImage, busyboxLayer, type LayerEntry, ociArchive } from "@wfe-containerd/test-infra/images";
import { expect, test } from "vitest";

const at = useDaemon({ image: false });
const NAME = "docker.io/library/going:1";
/** More calls than a step ever makes. */
const MOST_CALLS = 60;

test.each([
  ["", false],
  [" also to an executor that knows it,", true],
])(
  "fault case 17: an image that is removed at any moment of a step,%s either is missed by name, or serves the step to its end",
  async (_, isKnown) => {
    // The step's user is looked up in the image, so the layers are needed too.
    const passwd = { path: "etc/passwd", contents: "ann:x:1000:1000::/:/bin/sh\n" };
    const archive = await ociArchive(await buildImage({ layers: [await busyboxLayer(), [passwd]] }));
    const before = await at.inventory();
    const outcomes: string[] = [];
    for (let moment = 0; moment < MOST_CALLS; moment++) {
      await at.client.images.import(Readable.from([archive]), { name: NAME });
      let calls = isKnown ? Number.NEGATIVE_INFINITY : 0;
      let isRemoved = false;
      const client = createClient({
        address: at.daemon.address,
        namespace: at.client.namespace,
        interceptors: [
          (next) => async (request) => {
            if (calls++ === moment) {
              await at.client.images.remove(NAME, { sync: true });
              isRemoved = true;
            }
            return next(request);
          },
        ],
      });
      // What the executor does beside its steps is no moment of a step.
      const executor = createExecutor({ client, ioDir: at.ioDir, reapIntervalMs: false });
      const step: StepInput = {
        name: "held",
        image: NAME,
        user: "ann",
        pull: "never",
        command: ["/bin/echo", "whole"],
      };
      try {
        if (isKnown) await executor.run(step);
        calls = 0;
        const { exitCode, stdout } = await executor.run(step);
        outcomes.push(`${exitCode} ${stdout.trim()}`);
      } catch (reason) {
        if (!isExecutorError(reason)) throw reason;
        outcomes.push(reason.kind === "image-not-found" ? reason.kind : reason.message);
      } finally {
        await executor.close();
        await client.close();
      }
      if (!isRemoved) break;
    }
    await at.client.images.remove(NAME, { sync: true });
    expect(outcomes.length).toBeLessThan(MOST_CALLS);
    expect([...new Set(outcomes)].toSorted()).toEqual(["0 whole", "image-not-found"]);
    // Once the image is leased, it stays: after the first success, no image is missing.
    expect(outcomes.lastIndexOf("image-not-found")).toBeLessThan(outcomes.indexOf("0 whole"));
    await at.expectNothingLeft(before);
  },
);

/** The layers that steps of images stand on. */
async function baseLayers(): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, kind, labels } of at.client.snapshots.list())
    if (kind === "committed" && labels["wfe-containerd/base"] !== undefined) found.push(name);
  return found;
}

test("all steps of an image stand on one layer, which stays as long as the image, and goes with it", async () => {
  const archive = await ociArchive(await buildImage({ layers: [await busyboxLayer()] }));
  await at.client.images.import(Readable.from([archive]), { name: NAME });
  const step: StepInput = { name: "base", image: NAME, command: ["/bin/true"] };
  const executors = [0, 1].map(() => createExecutor({ client: at.client, ioDir: at.ioDir }));
  // At once: each executor would make the layer.
  const results = await Promise.all([0, 1, 2].flatMap(() => executors.map((each) => each.run(step))));
  expect(results.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0, 0, 0]);
  const layers = await baseLayers();
  expect(layers).toHaveLength(1);
  await Promise.all(executors.map((each) => each.close()));
  await at.client.leases.collectGarbage();
  expect(await baseLayers()).toEqual(layers);

  await at.client.images.remove(NAME, { sync: true });
  expect(await baseLayers()).toEqual([]);
});

test("a step writes no content and lists nothing, so it takes as long on a daemon that has much", async () => {
  const archive = await ociArchive(await buildImage({ layers: [await busyboxLayer()] }));
  await at.client.images.import(Readable.from([archive]), { name: NAME });
  const calls: string[] = [];
  const client = createClient({
    address: at.daemon.address,
    namespace: at.client.namespace,
    interceptors: [
      (next) => (request) => {
        calls.push(`${request.service.typeName.split(".").at(-1)}.${request.method.name}`);
        return next(request);
      },
    ],
  });
  // What the executor does beside its steps is not counted.
  const executor = createExecutor({ client, ioDir: at.ioDir, reapIntervalMs: false });
  const step: StepInput = { name: "few", image: NAME, command: ["/bin/true"] };
  await executor.run(step);
  calls.length = 0;
  await executor.run(step);
  await executor.close();
  await client.close();
  expect(calls.filter((call) => /^(?:Content|Diff|Introspection)\.|\.List/.test(call))).toEqual([]);
  expect(calls.length).toBeLessThan(20);
  await at.client.images.remove(NAME, { sync: true });
});

test.each<[string, LayerEntry[]]>([
  ["a file", [{ path: "etc", contents: "none\n" }]],
  [
    "a circle of links",
    [
      { path: "etc", symlink: "round" },
      { path: "round", symlink: "etc" },
    ],
  ],
])("an image whose /etc is %s has no files of names, and steps run", async (_, etc) => {
  const layer = (await busyboxLayer()).filter(({ path }) => path !== "etc/" && !path.startsWith("etc/"));
  const archive = await ociArchive(await buildImage({ layers: [[...layer, ...etc]] }));
  await at.client.images.import(Readable.from([archive]), { name: NAME });
  for (const user of ["65534:65534", "0:0", "65534:65534"]) {
    await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
    const run = "set +e; cat /etc/hosts; echo end";
    const { stdout } = await executor.run({ name: "odd", image: NAME, user, run });
    expect(stdout).toBe("end\n");
  }
  await at.client.images.remove(NAME, { sync: true });
});
