import type { Client, ExecOptions } from "@wfe-containerd/client";
import { type Freezer, isPaused } from "./freezer.js";
import type { Process } from "./process.js";

/**
 * Adds a process to a running container, while that is not frozen. Its program does not run yet.
 *
 * @returns the same process, which is started in the same way.
 */
export async function addProcess(
  client: Client,
  freezer: Freezer,
  process: Process,
  request: Omit<ExecOptions, "execId">,
): Promise<Process> {
  const { containerId, execId = "" } = process.id;
  const add = (): Promise<void> => client.tasks.exec(containerId, { ...request, execId });
  const { start } = process;
  let isAdded = true;

  async function startIt(): Promise<number> {
    if (!isAdded) await add();
    isAdded = true;
    try {
      return await start();
    } catch (reason) {
      // Another process has paused the container meanwhile. The shim would start the same one only once
      // (containerd, pkg/process/exec.go, `close(e.waitBlock)`).
      if (isPaused(reason)) {
        await client.tasks.delete(containerId, { execId });
        isAdded = false;
      }
      throw reason;
    }
  }

  await freezer.thawed(add);
  return Object.assign(process, { start: () => freezer.starting(client, containerId, startIt) });
}
