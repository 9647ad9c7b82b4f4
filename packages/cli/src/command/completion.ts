import { Argument, type Command } from "commander";
import { SCRIPTS } from "../completion/scripts.js";

const EXAMPLE = `
Examples:
  bash   source <(wfe-containerd completion bash)                        in ~/.bashrc
  zsh    source <(wfe-containerd completion zsh)                         in ~/.zshrc, behind compinit
  fish   wfe-containerd completion fish > ~/.config/fish/completions/wfe-containerd.fish

Names of steps, images and volumes are asked of the daemon while you type.`;

export function defineCompletion(command: Command): void {
  command
    .description("Print a script that lets a shell complete commands, flags, steps, images and volumes.")
    .addArgument(new Argument("<shell>", "your shell").choices(Object.keys(SCRIPTS)))
    .addHelpText("after", EXAMPLE)
    .action((shell: keyof typeof SCRIPTS) => {
      process.stdout.write(SCRIPTS[shell]);
    });
}
