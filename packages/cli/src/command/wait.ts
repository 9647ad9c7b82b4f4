import { isContainerdError } from "@wfe-containerd/client";
import type { Command } from "commander";
import { connect } from "../connection.js";
import { removeIfOver } from "../ended-step.js";
import { UsageError } from "../failure.js";
import { printableLine } from "../printable.js";
import { forEachWord, stepOf } from "../steps.js";

const EXAMPLE = `
Example:
  code=$(wfe-containerd wait build)`;

export function defineWait(command: Command): void {
  command
    .description("Wait until steps have ended, and print the exit code of each in a line.")
    .argument("<step...>", "id, beginning of an id, or name")
    .addHelpText("after", EXAMPLE)
    .action(async (words: string[], _flags: object, self: Command) => {
      await using client = await connect(self);
      await forEachWord(words, async (word) => {
        const { id } = await stepOf(client, word);
        const { exitCode } = await client.tasks.wait(id).catch((reason: unknown) => {
          if (!isContainerdError(reason, "not-found")) throw reason;
          throw new UsageError(
            `step ${printableLine(word)} has no process: it has ended and its exit code is gone, or it has not begun`,
            { cause: reason },
          );
        });
        await removeIfOver(client, id);
        return exitCode;
      });
    });
}
