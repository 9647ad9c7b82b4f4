import { removeOrphans } from "@wfe-containerd/executor";
import type { Command } from "commander";
import { connect } from "../connection.js";
import { printableLine } from "../printable.js";

export function addGcCommand(program: Command): void {
  program
    .command("gc")
    .description(
      "Remove what dead processes of this machine left behind, and run the daemon's garbage collection.",
    )
    .action(async (_flags: object, command: Command) => {
      await using client = await connect(command);
      for (const id of await removeOrphans(client)) console.log(printableLine(id));
      await client.leases.collectGarbage();
    });
}
