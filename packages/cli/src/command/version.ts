import type { Command } from "commander";
import { connect } from "../connection.js";
import { FAILED, UsageError } from "../failure.js";
import { globalOptions } from "../global-options.js";
import { ownVersion } from "../own-version.js";
import { printableLine, toJson } from "../printable.js";
import { reportFailure } from "../report-failure.js";
import { compileTemplate } from "../template/render.js";

const EXAMPLE = `
Examples:
  wfe-containerd version
  wfe-containerd version --format '{{.Server.Version}}'`;

export function defineVersion(command: Command): void {
  command
    .description("Print the versions of wfe-containerd and of the daemon.")
    .addHelpText("after", EXAMPLE)
    .action(async (_flags: object, command: Command) => {
      const client = ownVersion();
      await using connection = await connect(command);
      const daemon = await connection.version().catch((reason: unknown) => {
        reportFailure(reason);
        process.exitCode = FAILED;
        return undefined;
      });
      const { format } = globalOptions(command);
      if (format.includes("{{")) {
        const fill = compileTemplate(format);
        // docker calls the daemon the server.
        console.log(fill({ client: { version: client, node: process.version }, server: daemon ?? {} }));
        return;
      }
      if (format !== "table" && format !== "json")
        throw new UsageError(
          `--format: ${JSON.stringify(format)} is not a format of version; allowed: table, json, or a template such as '{{.Server.Version}}'`,
        );
      if (format === "json") {
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
