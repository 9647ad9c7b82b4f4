import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { connect } from "../connection.js";
import { globalOptions } from "../global-options.js";
import { formatCpuTime, type ProcessStatus, parseProcess } from "../process-status.js";
import { printRows } from "../rows.js";
import { runningStepOf } from "../steps.js";

const EXAMPLE = `
Examples:
  wfe-containerd top build
  wfe-containerd top --format pid,command build`;

export function defineTop(command: Command): void {
  command
    .description(
      "List the processes of a step, with their ids and users on the daemon's machine. If that is another machine, only the ids are known.",
    )
    .argument("<step>", "id, beginning of an id, or name")
    .addHelpText("after", EXAMPLE)
    .action(async (word: string, _flags: object, self: Command) => {
      await using client = await connect(self);
      const { id } = await runningStepOf(client, word);
      const pids = await client.tasks.pids(id);
      const found = await Promise.all(pids.map((pid) => readProcess(pid, id)));
      const processes = found.filter((each) => each !== undefined);
      const { format } = globalOptions(self);
      if (processes.length === 0)
        return printRows(
          pids.map((pid) => ({ pid })),
          { format, columns: ["pid"] },
        );
      await printRows(processes, { format, columns: COLUMNS });
    });
}

const COLUMNS = [
  { name: "user" },
  { name: "pid", isFixed: true },
  { name: "parent", heading: "ppid", isFixed: true },
  { name: "state", heading: "s" },
  { name: "cpuTimeMs", heading: "time", show: formatCpuTime, isFixed: true },
  { name: "command", heading: "cmd" },
];

/** @returns undefined if the process has ended, or runs on another machine, where the id may be another's. */
async function readProcess(pid: number, containerId: string): Promise<ProcessStatus | undefined> {
  const read = (name: string): Promise<string> => readFile(`/proc/${pid}/${name}`, "utf8");
  try {
    const [cgroup, stat, status, cmdline] = await Promise.all(
      ["cgroup", "stat", "status", "cmdline"].map(read),
    );
    if (cgroup?.includes(containerId) !== true) return undefined;
    return parseProcess(pid, { stat: stat ?? "", status: status ?? "", cmdline: cmdline ?? "" });
  } catch {
    return undefined;
  }
}
