import { type ReapReport, reap } from "@wfe-containerd/executor";
import type { Command } from "commander";
import { connect } from "../connection.js";
import { globalOptions } from "../global-options.js";
import { printableLine } from "../printable.js";
import { printRows } from "../rows.js";
import { collect } from "../transfer.js";

interface GcFlags {
  readonly dryRun?: boolean;
  readonly bridgeName?: string;
  readonly cniPlugins?: readonly string[];
}

/** As for other programs that did only a part of their work. 125 is for a gc that could not begin. */
const SOME_LEFT = 1;

const EXAMPLE = `
Examples:
  wfe-containerd gc --dry-run      what would be removed, and why
  wfe-containerd gc`;

export function defineGc(command: Command): void {
  command
    .description(
      "Remove what dead processes of this machine left behind, and run the daemon's garbage collection.",
    )
    .option("--dry-run", "print what would be removed, but do not remove it")
    .option("--bridge-name <name>", "bridge whose addresses are given back (default: wfe0)")
    .option("--cni-plugins <directory>", "directory of the CNI plugins on the daemon's machine", collect)
    .addHelpText("after", EXAMPLE)
    .action(async ({ dryRun, bridgeName, cniPlugins }: GcFlags, command: Command) => {
      await using client = await connect(command);
      const bridge = { name: bridgeName, pluginDirs: cniPlugins };
      const report = await reap(client, { dryRun, bridge });
      await print(report, globalOptions(command).format);
      if (dryRun !== true) await client.leases.collectGarbage();
      if (report.failed.length > 0) process.exitCode = SOME_LEFT;
    });
}

async function print({ removed, failed }: ReapReport, format: string): Promise<void> {
  const rows = removed.map(({ kind, id, reason }) => ({ kind, id, reason }));
  // Most runs find nothing. Then cron is to send no mail.
  if (rows.length > 0 || format === "json")
    await printRows(rows, { format, columns: ["kind", { name: "id", isFixed: true }, "reason"] });
  for (const { kind, id, failure } of failed)
    console.error(`wfe-containerd: ${kind} ${printableLine(id)} is left: ${printableLine(failure)}`);
}
