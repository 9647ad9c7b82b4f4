import { type Client, ContainerdError } from "@wfe-containerd/client";
import { expect, test } from "vitest";
import { deleteProcess } from "./delete-process.js";

const client = (kind: ContainerdError["kind"] | undefined, message = "no"): Client =>
  ({
    tasks: {
      delete: async () => {
        if (kind !== undefined) throw new ContainerdError(message, { kind });
        return { exitCode: 0 };
      },
      get: () => Promise.reject(new ContainerdError("no such task", { kind: "not-found" })),
    },
  }) as never;
const remove = (...failure: Parameters<typeof client>) =>
  deleteProcess(client(...failure), { containerId: "step" });

test("a process that the daemon does not know, or has forgotten, is deleted", async () => {
  expect(await remove(undefined)).toBe(true);
  expect(await remove("not-found")).toBe(false);
  expect(await remove("data-loss")).toBe(false);
  expect(await remove("unknown", "ttrpc: closed: unknown")).toBe(false);
  await expect(remove("unavailable")).rejects.toThrow("no");
  await expect(remove("unknown", "runc delete failed")).rejects.toThrow("runc delete failed");
});
