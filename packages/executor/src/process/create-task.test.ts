import { type Client, ContainerdError } from "@wfe-containerd/client";
import { expect, test } from "vitest";
import type { StepPlan } from "../core/plan/plan.js";
import { DEFAULT_RUNTIME } from "../core/plan/runtime.js";
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
    { release: createRelease(), patience: { outages: 0 } },
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

/** A client whose creations fail with these messages, one after the other, before one succeeds. */
function clientThatFails(...messages: string[]) {
  const left = [...messages];
  const tasks = {
    async create() {
      const message = left.shift();
      if (message !== undefined) throw new ContainerdError(message, { kind: "unknown" });
      return { pid: 7 };
    },
    wait: async () => ({ exitCode: 137 }),
    kill: async () => undefined,
    delete: async () => ({ exitCode: 137 }),
  };
  return { client: { tasks } as unknown as Client, left };
}

function createWith(
  client: Client,
  patience: { readonly outages: number } = { outages: 0 },
): ReturnType<typeof createTask> {
  return createTask(
    { client, impatientClient: client, facts: { locality: "remote" } } as Machine,
    {
      id: "step",
      mountFields: {},
      container: { image: "img", runtime: DEFAULT_RUNTIME, spec: { process: { cwd: "/" } } },
    } as unknown as StepPlan,
    [],
    {} as StepIo,
    { release: createRelease(), patience },
    async () => undefined,
  );
}

// Messages of containerd 1.6 and 2.1. Each was seen when an outage or a cut connection had ended an earlier
// creation.
test.each([
  "mkdir /s/io.containerd.runtime.v2.task/ns/step: file exists: unknown",
  "failed to start shim: start failed: open /s/io.containerd.runtime.v2.task/ns/step/address: no such file or directory: unknown",
  "failed to start shim: start failed: : fork/exec /usr/bin/containerd-shim-runc-v2: no such file or directory: unknown",
  "failed to start shim: start failed: dial unix /run/containerd/s/0123: connect: connection refused: unknown",
  "failed to start shim: start failed: failed to create TTRPC connection: dial unix /run/containerd/s/0123: connect: connection refused",
  "failed to create shim task: ttrpc: closed: unknown",
  "failed to start shim: start failed: io.containerd.runc.v2: getwd: no such file or directory: exit status 1",
  "OCI runtime create failed: container with given ID already exists: unknown",
])("a task is created again when what is left of an earlier creation was in the way: %s", async (message) => {
  const { client, left } = clientThatFails(message);
  expect(await createWith(client)).toMatchObject({ pid: 7 });
  expect(left).toEqual([]);
});

test("a task is not created again when its shim is not there", async () => {
  const message =
    'failed to resolve runtime path: runtime "io.containerd.runc.v2" binary not installed "containerd-shim-runc-v2": file does not exist: unknown';
  const { client, left } = clientThatFails(message, "once more");
  await expect(createWith(client)).rejects.toMatchObject({
    kind: "runtime",
    message: expect.stringContaining(message),
  });
  expect(left).toEqual(["once more"]);
});

test("a shim that always dies at the creation is an error soon", async () => {
  const message = "failed to create shim task: ttrpc: closed: unknown";
  const { client, left } = clientThatFails(...Array.from({ length: 10 }, () => message));
  await expect(createWith(client)).rejects.toMatchObject({
    kind: "runtime",
    message: expect.stringContaining(message),
  });
  expect(left).toHaveLength(4);
});

test("a task is created again if the daemon was away meanwhile: what was found then may be half undone", async () => {
  const patience = { outages: 0 };
  const calls: string[] = [];
  const tasks = {
    async create() {
      calls.push("create");
      if (calls.length > 1) return { pid: 9 };
      patience.outages++;
      return { pid: 7 };
    },
    wait: async () => ({ exitCode: 137 }),
    kill: async () => void calls.push("kill"),
    async delete() {
      calls.push("delete");
      return { exitCode: 137 };
    },
  };
  expect(await createWith({ tasks } as unknown as Client, patience)).toMatchObject({ pid: 9 });
  expect(calls).toEqual(["create", "kill", "delete", "create"]);
});
