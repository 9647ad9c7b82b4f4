import { type ListedStep, listSteps, removeStep } from "@wfe-containerd/executor";
import type { Command } from "commander";
import { connect } from "../connection.js";
import { confirm, listed } from "../prompt.js";
import { reportFailure } from "../report-failure.js";
import { findStep, NoStepError } from "../step-lookup.js";
import { isAlive, whereOf } from "../steps.js";

const EXAMPLE = `
Examples:
  wfe-containerd rm build wfe-3f57
  wfe-containerd rm -f $(wfe-containerd ps -aq)`;

export function defineRm(command: Command): void {
  command
    .description(
      "Kill steps, and remove their containers and files. On a terminal, it asks before it kills running steps.",
    )
    .argument("<step...>", "id, beginning of an id, or name")
    .option("-f, --force", "do not ask; a step that is not there is no failure")
    .option(
      "-v, --volumes",
      "no effect, as anonymous volumes are always removed; accepted because docker has it",
    )
    .addHelpText("after", EXAMPLE)
    .action(async (words: readonly string[], { force = false }: { force?: boolean }, self: Command) => {
      await using client = await connect(self);
      const steps = await listSteps(client);
      const found: { word: string; step: ListedStep }[] = [];
      for (const word of words) {
        try {
          found.push({ word, step: findStep(word, steps, whereOf(client)) });
        } catch (reason) {
          const code = reportFailure(reason);
          // As in docker, a script may clean up what is not there.
          if (!force || !(reason instanceof NoStepError)) process.exitCode = code;
        }
      }
      const running = found.filter(({ step }) => isAlive(step));
      if (!force && running.length > 0 && !(await confirm(`This kills ${listed(running.map(describe))}.`)))
        return;
      for (const { word, step } of found) {
        try {
          await removeStep(client, step.id);
          console.log(word);
        } catch (reason) {
          process.exitCode = reportFailure(reason);
        }
      }
    });
}

function describe({ step: { id, name } }: { readonly step: ListedStep }): string {
  return name === "" ? id : `${id} (${name})`;
}
