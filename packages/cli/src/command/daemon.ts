import { once } from "node:events";
import { startDaemon } from "@wfe-containerd/client/daemon";
import { type Command, Option } from "commander";

interface DaemonFlags {
  readonly directory?: string;
  readonly logLevel: "debug" | "info" | "warn" | "error";
}

const EXAMPLE = `
Examples:
  wfe-containerd daemon                                  until Ctrl-C; its files are temporary
  wfe-containerd daemon --directory /srv/containerd --log-level info`;

export function defineDaemon(command: Command): void {
  command
    .description(
      "Run a private containerd in the foreground until SIGINT or SIGTERM. It uses the programs on PATH.",
    )
    .option(
      "--directory <path>",
      "directory for all its files (default: a temporary directory, removed at the end)",
    )
    .addOption(
      new Option("--log-level <level>", "how much of its log is printed")
        .choices(["debug", "info", "warn", "error"])
        .default("warn"),
    )
    .addHelpText("after", EXAMPLE)
    .action(async ({ directory, logLevel }: DaemonFlags) => {
      const stop = Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
      await using daemon = await startDaemon({
        directory,
        logLevel,
        onLog: (text) => process.stderr.write(text),
      });
      // One line on standard output, once the daemon answers, for the program that started this command.
      console.log(daemon.address);
      console.error(
        `containerd ${daemon.version} runs in ${daemon.directory}; export WFE_CONTAINERD_ADDR=${daemon.address}`,
      );
      await Promise.race([stop, daemon.exited]);
    });
}
