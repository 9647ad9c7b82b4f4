import { type Client, ContainerdError } from "@wfe-containerd/client";
import { expect, test } from "vitest";
import { addProcess } from "./add-process.js";
import { createFreezer } from "./freezer.js";
import type { Process } from "./process.js";

const failure = (message: string) => new ContainerdError(message, { kind: "unknown", operation: "start" });

/** A daemon whose answers to the first calls are these failures. */
function failing(failures: Record<string, string>) {
  const seen: string[] = [];
  const answer = (name: string) => async () => {
    seen.push(name);
    const message = failures[name];
    delete failures[name];
    if (message !== undefined) throw failure(message);
    return 7;
  };
  const client = {
    tasks: {
      metrics: async () => ({ kind: "cgroup1" }),
      exec: answer("exec"),
      delete: answer("delete"),
    },
    containers: { update: async () => ({ labels: {} }) },
  } as unknown as Client;
  const process = { id: { containerId: "c", execId: "e" }, start: answer("start") } as unknown as Process;
  const add = () => addProcess(client, createFreezer("tag"), process, { process: {} as never });
  return { seen, add };
}

test("a container that another process has paused is waited for, and the process is made anew", async () => {
  const { seen, add } = failing({
    exec: "cannot exec in a paused state",
    start:
      "OCI runtime exec failed: exec failed: cannot exec in a paused container (use --ignore-paused to override)",
  });
  const process = await add();
  expect(await process.start()).toBe(7);
  expect(seen).toEqual(["exec", "exec", "start", "delete", "exec", "start"]);
});

test("any other failure is told at once", async () => {
  const { seen, add } = failing({ start: "no such file or directory" });
  const process = await add();
  await expect(process.start()).rejects.toThrow("no such file or directory");
  expect(seen).toEqual(["exec", "start"]);
});
