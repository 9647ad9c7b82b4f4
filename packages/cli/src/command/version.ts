import type { Command } from "commander";
import { connect, globalOptions } from "../connection.js";
import { FAILED, reportFailure } from "../failure.js";
import { ownVersion } from "../own-version.js";
import { printableLine, toJson } from "../printable.js";

export function addVersionCommand(program: Command): void {
  program
    .command("version")
    .description("Print the versions of wfe-containerd and of the daemon.")
    .action(async (_flags: object, command: Command) => {
      const client = ownVersion();
      await using connection = await connect(command);
      const daemon = await connection.version().catch((reason: unknown) => {
        reportFailure(reason);
        process.exitCode = FAILED;
        return undefined;
      });
      if (globalOptions(command).format === "json") {
        console.log(
          toJson({ client, node: process.version, address: connection.address, daemon: daemon ?? null }),
        );
        return;
      }
      console.log(`wfe-containerd ${client} (Node ${process.version})`);
      if (daemon !== undefined)
        console.log(
          printableLine(`containerd ${daemon.version} ${daemon.revision} at ${connection.address}`),
        );
    });
}
