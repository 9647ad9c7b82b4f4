import { removeStep } from "@wfe-containerd/executor";
import type { Command } from "commander";
import { connect } from "../connection.js";
import { reportFailure } from "../failure.js";

export function addRmCommand(program: Command): void {
  program
    .command("rm")
    .description("Kill steps, and remove their containers and files.")
    .argument("<id...>", "ids, as `ps` shows them")
    .action(async (ids: readonly string[], _flags: object, command: Command) => {
      await using client = await connect(command);
      for (const id of ids) {
        try {
          await removeStep(client, id);
          console.log(id);
        } catch (reason) {
          process.exitCode = reportFailure(reason);
        }
      }
    });
}
