import {
  isExecutorError,
  type Policy,
  parsePolicy,
  type StepResult,
  type WorkflowData,
} from "@wfe-containerd/executor";
import { type Command, Option } from "commander";
import { closeAtEnd } from "../close-executor.js";
import { connect } from "../connection.js";
import { exitCodeWith, isFromSignal } from "../exit-code.js";
import { UsageError } from "../failure.js";
import { addMachineFlags, createExecutorOn, type MachineFlags } from "../machine-flags.js";
import { writeOutput } from "../output.js";
import { printableLine, toJson } from "../printable.js";
import { reportFailure } from "../report-failure.js";
import { isTold, runSteps } from "../run-steps.js";
import { parseSecret, readSecrets, type SecretFlag } from "../secret.js";
import { readStepFile, type StepFile } from "../step-file.js";
import { openStepPlace } from "../step-place.js";
import { noneRun } from "../step-progress.js";
import { openWorkspaceOf } from "../step-workspace.js";
import { catchStopSignals, codeOfSignal } from "../stop-signals.js";
import { addRegistryFlags, collect, type RegistryFlags, registryOptions } from "../transfer.js";
import { readYaml } from "../yaml-document.js";

interface StepFlags extends MachineFlags, RegistryFlags {
  readonly secret?: readonly string[];
  readonly output: "text" | "json";
  readonly data: readonly string[];
  readonly dataLogs?: boolean;
  readonly policy?: string;
  readonly quiet?: boolean;
  readonly prefix?: boolean;
  readonly check?: boolean;
}

const EXAMPLE = `
Example, in build.yaml:
  steps:
    - name: build
      image: alpine:3.20
      run: echo "##wfe[output release=1.2.3]"
    - name: test
      image: alpine:3.20
      run: echo "testing $BUILD_OUTPUTS_RELEASE"

  wfe-containerd step build.yaml
  wfe-containerd step --check build.yaml      find mistakes, run nothing
  wfe-containerd step --prefix build.yaml     each line begins with its step: test | ok

Next to steps may stand workspace: /work, a directory that all steps share, and session: true, for one container that all
steps share; its fields, such as image and memory, are then next to steps, too.

Values are read as written: VERSION: 1.10 is 1.10. Anchors (&a, *a) and merge keys (<<: *a) work; keys next to steps that
begin with x- may contain them. \`wfe-containerd schema\` prints every field.`;

export function defineStep(command: Command): void {
  command
    .description(
      "Run a step file: one step, or a list under `steps:`, in order. Each step's outputs are variables of the later steps.",
    )
    .argument("<file>", "YAML or JSON file; - for standard input")
    .addOption(
      new Option("--output <format>", "text: pass the steps' output on; json: print their results at the end")
        .choices(["text", "json"])
        .default("text"),
    )
    .option("--policy <file>", "policy file in YAML or JSON: what steps may ask for beyond the default")
    .option(
      "--secret <id=name,src=file>",
      "secret for the steps that ask for it; or id=NAME,env=VARIABLE",
      collect,
    )
    .option(
      "-d, --data <key=value>",
      "variable for every step; its name becomes upper case",
      (value: string, all: readonly string[]) => [...all, value],
      [],
    );
  command
    .option("-q, --quiet", "print only the steps' output and errors: no headings, no progress, no summary")
    .option("--prefix", "put the name of the step before each line of its output")
    .option("--check", "only check the file and the policy, without a daemon; nothing runs")
    .option("--data-logs", "pass the output of earlier steps to later ones too: $BUILD_STDOUT, $BUILD_STDERR")
    .addHelpText("after", EXAMPLE);
  addRegistryFlags(addMachineFlags(command)).action(async (file: string, flags: StepFlags, self: Command) => {
    process.exitCode = await runFile(file, flags, self);
  });
}

async function runFile(path: string, flags: StepFlags, command: Command): Promise<number> {
  const file = await readStepFile(path);
  const policy = await readPolicy(flags.policy);
  file.checkPolicy(policy);
  if (flags.check === true) return printCheck(file);
  using signals = catchStopSignals();
  await using client = await connect(command);
  const data = parseData(flags.data);
  const secrets = await readSecrets(parseSecrets(flags.secret));
  await using workspace = await openWorkspaceOf(file, client);
  const executor = createExecutorOn(flags, { client, policy, pull: registryOptions(flags) }, command);
  await using _ = closeAtEnd(executor);
  const results: StepResult[] = [];
  try {
    await using place = await openStepPlace(executor, file, {
      secrets,
      workspace,
      signal: signals.stop,
      progress: flags.quiet !== true,
    });
    const code = await runSteps(place, file.steps, { ...flags, data, signals }, results);
    return exitCodeWith(signals, code);
  } catch (reason) {
    if (signals.received !== undefined && isFromSignal(reason)) return codeOfSignal(signals.received);
    if (!isExecutorError(reason)) throw reason;
    // The container of a session: what becomes of a step is told by `runSteps`.
    const code = reportFailure(reason);
    if (isTold(file.steps, flags)) console.error(noneRun(file.steps.map((step) => step.name)));
    return code;
  } finally {
    if (flags.output === "json") await printResults(file.steps.length === 1 ? (results[0] ?? null) : results);
  }
}

async function printResults(results: unknown): Promise<void> {
  await writeOutput(process.stdout, `${toJson(results)}\n`);
}

async function readPolicy(file: string | undefined): Promise<Policy> {
  return parsePolicy(file === undefined ? {} : await readYaml(file));
}

/** Prints what would run. Mistakes were found before. */
function printCheck({ name, steps, session }: StepFile): number {
  const count = steps.length === 1 ? "1 step" : `${steps.length} steps`;
  const where = session === undefined ? "" : " in one container";
  const names = steps.map((step) => step.name).join(", ");
  console.log(printableLine(`${name}: ${count}${where}: ${names}`));
  return 0;
}

/** Refuses `target` and `mask`: the step file says where a secret goes. */
function parseSecrets(flags: readonly string[] = []): SecretFlag[] {
  return flags.map((flag) => {
    const secret = parseSecret(flag);
    if (secret.target === undefined && secret.mask === undefined) return secret;
    throw new UsageError(
      "--secret: target and mask are set in the step file; allowed: id=NAME with src=FILE or env=VARIABLE",
    );
  });
}

function parseData(entries: readonly string[]): WorkflowData {
  return Object.fromEntries(
    entries.map((entry) => {
      const at = entry.indexOf("=");
      if (at < 1)
        throw new UsageError(
          `--data: ${JSON.stringify(entry)} is not key=value; allowed: for example release=1.2.3`,
        );
      return [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
}
