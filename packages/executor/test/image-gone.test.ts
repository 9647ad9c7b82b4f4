import { Readable } from "node:stream";
import { createClient } from "@wfe-containerd/client";
import { createExecutor, isExecutorError, type StepInput } from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { buildImage, busyboxLayer, ociArchive } from "@wfe-containerd/test-infra/images";
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
      const executor = createExecutor({ client, ioDir: at.ioDir });
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
