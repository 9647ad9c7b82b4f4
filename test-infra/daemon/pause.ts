import { readdir, readFile } from "node:fs/promises";
import { expect } from "vitest";

/** Stops a process by SIGSTOP, and resolves once every thread of it has stopped: each does so for itself. SIGCONT lets it go on. */
export async function pauseProcess(pid: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  await expect.poll(() => threadStates(pid), { interval: 5 }).toMatch(/^T+$/);
}

/** One letter a thread, as ps(1) has them. */
async function threadStates(pid: number): Promise<string> {
  const threads = await readdir(`/proc/${pid}/task`);
  const stats = await Promise.all(
    threads.map((id) => readFile(`/proc/${pid}/task/${id}/stat`, "utf8").catch(() => "")),
  );
  return stats.map((stat) => stat.charAt(stat.lastIndexOf(")") + 2)).join("");
}
