import { readdir, readFile } from "node:fs/promises";
import { expect } from "vitest";

/** Pauses a process with SIGSTOP. Resolves when all of its threads have stopped. SIGCONT continues it. */
export async function pauseProcess(pid: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  await untilPaused(pid);
}

/** Resolves when somebody has paused a process, and all of its threads have stopped. */
export async function untilPaused(pid: number): Promise<void> {
  await expect.poll(() => threadStates(pid), { interval: 5 }).toMatch(/^T+$/);
}

/** @returns one letter for each thread, as in ps(1). */
async function threadStates(pid: number): Promise<string> {
  const threads = await readdir(`/proc/${pid}/task`);
  const stats = await Promise.all(
    threads.map((id) => readFile(`/proc/${pid}/task/${id}/stat`, "utf8").catch(() => "")),
  );
  return stats.map((stat) => stat.charAt(stat.lastIndexOf(")") + 2)).join("");
}
