import type { Client } from "@wfe-containerd/client";
import type { Command } from "commander";
import { connect } from "../connection.js";
import { forEachWord, runningStepOf } from "../steps.js";

const PAUSE_EXAMPLE = `
Examples:
  wfe-containerd pause build
  wfe-containerd pause $(wfe-containerd ps -q --filter status=running)`;

const UNPAUSE_EXAMPLE = `
Examples:
  wfe-containerd unpause build
  wfe-containerd unpause $(wfe-containerd ps -q --filter status=paused)`;

export function definePause(command: Command): void {
  command
    .description("Freeze all processes of steps. Their time-outs go on.")
    .addHelpText("after", PAUSE_EXAMPLE);
  forEachStep(command, (client, id) => client.tasks.pause(id));
}

export function defineUnpause(command: Command): void {
  command.description("Let the processes of paused steps go on.").addHelpText("after", UNPAUSE_EXAMPLE);
  forEachStep(command, (client, id) => client.tasks.resume(id));
}

function forEachStep(command: Command, act: (client: Client, id: string) => Promise<void>): void {
  command
    .argument("<step...>", "id, beginning of an id, or name")
    .action(async (words: string[], _flags: object, self: Command) => {
      await using client = await connect(self);
      await forEachWord(words, async (word) => {
        const { id } = await runningStepOf(client, word);
        await act(client, id);
        return word;
      });
    });
}
