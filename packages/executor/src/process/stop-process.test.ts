import { type Client, ContainerdError } from "@wfe-containerd/client";
import { createDeferred } from "@wfe-containerd/client/internal";
import { expect, test } from "vitest";
import { stopProcess } from "./stop-process.js";

test("a process that ends by the first signal, just as its grace period is over, was stopped", async () => {
  const exited = createDeferred<void>();
  const sent: string[] = [];
  const kill = async (_: string, signal: string): Promise<void> => {
    sent.push(signal);
    if (signal !== "SIGKILL") return;
    exited.resolve();
    throw new ContainerdError("process already finished", { kind: "not-found" });
  };
  const client = { tasks: { kill } } as unknown as Client;
  const stopping = stopProcess(
    client,
    { containerId: "c" },
    { signal: "SIGTERM", graceMs: 1, exited: exited.promise },
  );
  expect(await stopping).toBe(true);
  expect(sent).toEqual(["SIGTERM", "SIGKILL"]);
});

test("a process that has ended before its first signal was not stopped", async () => {
  const kill = async (): Promise<void> => {
    throw new ContainerdError("process already finished", { kind: "not-found" });
  };
  const client = { tasks: { kill } } as unknown as Client;
  const options = { signal: "SIGTERM", graceMs: 600_000, exited: Promise.resolve() } as const;
  expect(await stopProcess(client, { containerId: "c" }, options)).toBe(false);
});
