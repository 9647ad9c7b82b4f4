import { Command, Option } from "commander";
import { addDaemonCommand } from "./command/daemon.js";
import { addExportCommand } from "./command/export.js";
import { addGcCommand } from "./command/gc.js";
import { addImagesCommand } from "./command/images.js";
import { addImportCommand } from "./command/import.js";
import { addInspectCommand } from "./command/inspect.js";
import { addLoginCommand } from "./command/login.js";
import { addLogoutCommand } from "./command/logout.js";
import { addPruneCommand } from "./command/prune.js";
import { addPsCommand } from "./command/ps.js";
import { addPullCommand } from "./command/pull.js";
import { addPushCommand } from "./command/push.js";
import { addRmCommand } from "./command/rm.js";
import { addRmiCommand } from "./command/rmi.js";
import { addRunCommand } from "./command/run.js";
import { addSchemaCommand } from "./command/schema.js";
import { addStepCommand } from "./command/step.js";
import { addTagCommand } from "./command/tag.js";
import { addVersionCommand } from "./command/version.js";
import { addVolumeCommand } from "./command/volume.js";
import { addGlobalFlags } from "./connection.js";
import { FAILED } from "./failure.js";
import { ownVersion } from "./own-version.js";

/** Creates the whole command line. Each command has a file in `command/`. */
export function createProgram(): Command {
  const program = new Command("wfe-containerd")
    .description("Runs workflow steps as isolated containers, through containerd's gRPC API.")
    .version(`wfe-containerd ${ownVersion()}`, "-v, --version", "print the version")
    .option(
      "--address <address>",
      "containerd: /path, unix://, tcp://, http://, https:// (default: WFE_CONTAINERD_ADDR, CONTAINERD_ADDRESS, /run/containerd/containerd.sock)",
    )
    .option("-n, --namespace <name>", "containerd's namespace (default: CONTAINERD_NAMESPACE, default)")
    .option("--snapshotter <name>", "containerd's snapshotter (default: CONTAINERD_SNAPSHOTTER, overlayfs)")
    .option("--tls-ca <file>", "certificates of the authorities to trust for the daemon's certificate")
    .option("--tls-cert <file>", "client certificate")
    .option("--tls-key <file>", "key of the client certificate")
    .option("--tls-server-name <name>", "name in the daemon's certificate")
    .option("--insecure", "allow an unencrypted connection to another machine")
    .addOption(
      new Option("--format <format>", "output format of lists").choices(["table", "json"]).default("table"),
    )
    .enablePositionalOptions()
    .showHelpAfterError("(see --help)")
    .exitOverride((error) => {
      // 125 is docker's exit code for a command line with a mistake. Help that was asked for exits with 0.
      process.exit(error.exitCode === 0 ? 0 : FAILED);
    });
  addRunCommand(program);
  addStepCommand(program);
  addPullCommand(program);
  addPushCommand(program);
  addImportCommand(program);
  addExportCommand(program);
  addImagesCommand(program);
  addTagCommand(program);
  addRmiCommand(program);
  addPruneCommand(program);
  addInspectCommand(program);
  addLoginCommand(program);
  addLogoutCommand(program);
  addPsCommand(program);
  addRmCommand(program);
  addVolumeCommand(program);
  addGcCommand(program);
  addVersionCommand(program);
  addDaemonCommand(program);
  addSchemaCommand(program);
  addGlobalFlags(program);
  return program;
}
