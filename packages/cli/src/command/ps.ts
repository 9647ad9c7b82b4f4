import { listSteps } from "@wfe-containerd/executor";
import type { Command } from "commander";
import { connect, globalOptions } from "../connection.js";
import { printRows } from "../table.js";

export function addPsCommand(program: Command): void {
  program
    .command("ps")
    .description("List the steps on the daemon: running steps, and steps that a dead process left behind.")
    .action(async (_flags: object, command: Command) => {
      await using client = await connect(command);
      const rows = (await listSteps(client)).map(
        ({ id, name, image, status, executor, owner, createdAt }) => ({
          id,
          step: name,
          image,
          status,
          executor,
          owner,
          created: createdAt?.toISOString() ?? "",
        }),
      );
      await printRows(globalOptions(command).format, rows, [
        "id",
        "step",
        "image",
        "status",
        "executor",
        "owner",
        "created",
      ]);
    });
}
