import { removeOrphans } from "@wfe-containerd/executor";
import type { Command } from "commander";
import { connect } from "../connection.js";
import { printableLine } from "../printable.js";

/** As for other programs that did only a part of their work. 125 is for a gc that could not begin. */
const SOME_LEFT = 1;

export function addGcCommand(program: Command): void {
  program
    .command("gc")
    .description(
      "Remove what dead processes of this machine left behind, and run the daemon's garbage collection.",
    )
    .action(async (_flags: object, command: Command) => {
      await using client = await connect(command);
      const { removed, failed } = await removeOrphans(client);
      for (const id of removed) console.log(printableLine(id));
      for (const { id, reason } of failed)
        console.error(`wfe-containerd: ${printableLine(id)} is left: ${printableLine(reason)}`);
      await client.leases.collectGarbage();
      if (failed.length > 0) process.exitCode = SOME_LEFT;
    });
}
