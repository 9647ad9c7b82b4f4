import { type Client, ContainerdError } from "@wfe-containerd/client";
import { expect, test } from "vitest";
import type { StepPlan } from "../core/plan/plan.js";
import type { StepIo } from "../io/io.js";
import type { Machine } from "../machine/machine.js";
import { createRelease } from "../resources/release.js";
import { createTask } from "./create-task.js";

const reject = (reason: Error): Client => ({ tasks: { create: () => Promise.reject(reason) } }) as never;
const create = (reason: Error, findFault: () => Promise<string | undefined>) =>
  createTask(
    { client: reject(reason), impatientClient: reject(reason) } as Machine,
    { id: "step", container: {} } as StepPlan,
    [],
    {} as StepIo,
    createRelease(),
    findFault,
  );

test("a runtime that does not answer is explained by the image, and the kind of the error stays", async () => {
  const late = new ContainerdError("no answer within 120000 ms", { kind: "deadline-exceeded" });
  const found = async () => "image: its /etc/passwd is a FIFO";
  await expect(create(late, found)).rejects.toMatchObject({
    kind: "daemon-unavailable",
    message: "image: its /etc/passwd is a FIFO (no answer within 120000 ms)",
    cause: late,
  });
  for (const nothing of [async () => undefined, () => Promise.reject(new Error("away"))])
    await expect(create(late, nothing)).rejects.toMatchObject({
      message: "no answer within 120000 ms",
      cause: late,
    });
});
