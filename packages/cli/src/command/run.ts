import { createExecutor, parseDuration, type StepInput } from "@wfe-containerd/executor";
import { type Command, Option } from "commander";
import { connect } from "../connection.js";
import { readEnvironment } from "../environment.js";
import { exitCodeOf } from "../exit-code.js";
import { UsageError } from "../failure.js";
import { follow } from "../follow.js";

interface RunFlags {
  readonly name: string;
  readonly env: readonly string[];
  readonly envFile: readonly string[];
  readonly volume: readonly string[];
  readonly entrypoint?: string;
  readonly workdir?: string;
  readonly user?: string;
  readonly network: "none" | "host";
  readonly memory?: string;
  readonly cpus?: string;
  readonly pull: "always" | "missing" | "never";
  readonly label: readonly string[];
  readonly timeout?: string;
  readonly stopTimeout?: string;
  readonly io: "file" | "fifo";
}

/** What a person types is the operator's own word. What no policy allows stays refused. */
const TYPED = { hostNetwork: true, mountSources: ["/"], imageUser: true };
const PULL = { always: "always", missing: "if-not-present", never: "never" } as const;
const collect = (value: string, all: readonly string[]): string[] => [...all, value];

export function addRunCommand(program: Command): void {
  program
    .command("run")
    .description("Run a command in a new container; its output, its exit code, and nothing left.")
    .argument("<image>")
    .argument("[command...]", "instead of the image's own")
    .option("--name <name>", "name of the step", "run")
    .option("-e, --env <NAME=value>", "environment variable; NAME alone takes ours", collect, [])
    .option("--env-file <file>", "environment variables, one a line", collect, [])
    .option("-v, --volume <source:target[:ro]>", "directory or file of the daemon's machine", collect, [])
    .option("--entrypoint <program>", "instead of the image's own")
    .option("-w, --workdir <path>", "where the command starts")
    .option("-u, --user <user>", "uid, uid:gid, name, name:group, or image (default: 65534:65534)")
    .addOption(new Option("--network <network>", "network").choices(["none", "host"]).default("none"))
    .option("-m, --memory <size>", "limit of memory: 512m")
    .option("--cpus <number>", "limit of CPU time: 0.5")
    .addOption(
      new Option("--pull <when>", "when to pull the image")
        .choices(["always", "missing", "never"])
        .default("missing"),
    )
    .option("-l, --label <name=value>", "label on the container", collect, [])
    .option("--timeout <duration>", "limit of time: 30s, 5m")
    .option("--stop-timeout <duration>", "between SIGTERM and SIGKILL (default: 10s)")
    .addOption(
      new Option("--io <mode>", "how output comes from the container")
        .choices(["file", "fifo"])
        .default("file"),
    )
    .option("--rm", "taken for docker's sake: nothing is ever left")
    .passThroughOptions()
    .action(async (image: string, args: readonly string[], flags: RunFlags, command: Command) => {
      process.exitCode = await run(image, args, flags, command);
    });
}

async function run(
  image: string,
  args: readonly string[],
  flags: RunFlags,
  command: Command,
): Promise<number> {
  const step: StepInput = {
    name: flags.name,
    image,
    ...(flags.entrypoint !== undefined && { command: [flags.entrypoint] }),
    ...(args.length > 0 && { args: [...args] }),
    env: await readEnvironment(flags.envFile, flags.env),
    volumes: [...flags.volume],
    workingDir: flags.workdir,
    user: flags.user,
    network: flags.network,
    memory: flags.memory,
    cpu: flags.cpus === undefined ? undefined : number("--cpus", flags.cpus),
    pull: PULL[flags.pull],
    labels: labels(flags.label),
    timeout: flags.timeout,
    stopGraceMs: flags.stopTimeout === undefined ? undefined : stopTimeout(flags.stopTimeout),
  };
  await using client = await connect(command);
  await using executor = createExecutor({ client, ioMode: flags.io, policy: TYPED });
  const result = await follow(executor.start(step));
  return exitCodeOf(result);
}

function number(flag: string, text: string): number {
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value))
    throw new UsageError(`${flag}: ${JSON.stringify(text)} is no number`);
  return value;
}

/** Docker takes seconds; so do we, and durations with a unit. */
function stopTimeout(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) * 1000 : parseDuration(text);
  if (value === undefined)
    throw new UsageError(
      `--stop-timeout: ${JSON.stringify(text)} is no duration; allowed: seconds, or 500ms, 10s, 1m`,
    );
  return value;
}

function labels(entries: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    entries.map((entry) => {
      const at = entry.indexOf("=");
      return at === -1 ? [entry, ""] : [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
}
