import {
  checkStep,
  type Executor,
  isExecutorError,
  type Policy,
  parsePolicy,
  parseStep,
  type StartOptions,
  type StepInput,
  type StepResult,
  toVariableName,
  toWorkflowData,
  type WorkflowData,
} from "@wfe-containerd/executor";
import { type Command, Option } from "commander";
import { closeAtEnd } from "../close-executor.js";
import { connect } from "../connection.js";
import { exitCodeAfter, exitCodeOf, isFromSignal, reportEnd } from "../exit-code.js";
import { MistakesError, UsageError } from "../failure.js";
import { follow } from "../follow.js";
import { addMachineFlags, createExecutorOn, type MachineFlags } from "../machine-flags.js";
import { writeOutput } from "../output.js";
import { printableLine, toJson } from "../printable.js";
import { issueText } from "../report-failure.js";
import { parseSecret, readSecrets, type SecretFlag } from "../secret.js";
import { readStepFile } from "../step-file.js";
import { headingOf, prefixOf, summaryOf } from "../step-progress.js";
import { catchStopSignals, codeOfSignal, type StopSignals } from "../stop-signals.js";
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

async function runFile(file: string, flags: StepFlags, command: Command): Promise<number> {
  const steps = await readStepFile(file);
  if (flags.check === true) return checkFile(file, steps, await readPolicy(flags.policy));
  using signals = catchStopSignals();
  await using client = await connect(command);
  const policy = await readPolicy(flags.policy);
  const options = { data: parseData(flags.data), secrets: await readSecrets(parseSecrets(flags.secret)) };
  const executor = createExecutorOn(flags, { client, policy, pull: registryOptions(flags) }, command);
  await using _ = closeAtEnd(executor);
  const results: StepResult[] = [];
  try {
    await runSteps(executor, steps, { ...options, flags, signals }, results);
  } catch (reason) {
    if (signals.received === undefined || !isFromSignal(reason)) throw reason;
    return codeOfSignal(signals.received);
  } finally {
    if (flags.output === "json") await printResults(steps.length === 1 ? (results[0] ?? null) : results);
  }
  const last = results.at(-1);
  const code = last === undefined ? 0 : exitCodeOf(last);
  return signals.received === undefined ? code : exitCodeAfter(signals.received, code, signals.kill.aborted);
}

async function printResults(results: unknown): Promise<void> {
  await writeOutput(process.stdout, `${toJson(results)}\n`);
}

async function readPolicy(file: string | undefined): Promise<Policy> {
  return parsePolicy(file === undefined ? {} : await readYaml(file));
}

interface RunStepsOptions extends StartOptions {
  readonly data: WorkflowData;
  readonly flags: Pick<StepFlags, "output" | "dataLogs" | "quiet" | "prefix">;
  readonly signals: StopSignals;
}

/** Runs steps in order until one fails or a signal comes. */
async function runSteps(
  executor: Executor,
  steps: readonly StepInput[],
  { data: given, flags, signals, ...options }: RunStepsOptions,
  results: StepResult[],
): Promise<void> {
  const { output, dataLogs: logs = false, quiet = false, prefix = false } = flags;
  // One step needs no heading, and JSON is for programs.
  const isTold = output === "text" && !quiet && steps.length > 1;
  const names = steps.map(({ name }) => name);
  let data = given;
  for (const [at, step] of steps.entries()) {
    if (isTold) console.error(headingOf(step, at, steps.length));
    const handle = executor.start(step, { ...options, data, signal: signals.stop });
    const result = await follow(handle, {
      signals,
      output: output === "text",
      progress: !quiet,
      prefix: prefix ? prefixOf(step.name, names) : undefined,
    });
    results.push(result);
    reportEnd(result, { stopSignal: parseStep(step).stopSignal, wasKilled: signals.kill.aborted });
    const isOver = result.exitCode !== 0 || result.cause !== "exit" || signals.received !== undefined;
    if (isOver && isTold) console.error(summaryOf(result, names.slice(at + 1)));
    if (isOver) return;
    if (logs) reportLongLogs(result);
    data = { ...data, ...toWorkflowData(result, { logs }), ...given };
  }
}

/** Prints what would run. Mistakes in the steps themselves were found when the file was read. */
function checkFile(file: string, steps: readonly StepInput[], policy: Policy): number {
  const mistakes = steps.flatMap((step, at) => {
    try {
      checkStep(step, policy);
      return [];
    } catch (reason) {
      if (!isExecutorError(reason)) throw reason;
      const where = steps.length === 1 ? "" : `steps[${at}]: `;
      if (reason.issues.length === 0) return [`${where}${reason.message}`];
      return reason.issues.map((issue) => `${where}${issueText(issue)}`);
    }
  });
  const name = file === "-" ? "standard input" : file;
  if (mistakes.length > 0) throw new MistakesError(name, mistakes);
  const names = steps.map((step) => step.name).join(", ");
  console.log(printableLine(`${name}: ${steps.length === 1 ? "1 step" : `${steps.length} steps`}: ${names}`));
  return 0;
}

/** The kernel accepts at most 128 KiB for a variable, including its name. */
const MAX_VARIABLE_BYTES = 128 * 1024;

function reportLongLogs({ name, stdout, stderr }: StepResult): void {
  for (const [stream, log] of Object.entries({ stdout, stderr })) {
    const variable = toVariableName(`${name}.${stream}`);
    if (log.includes("\0"))
      console.error(
        `wfe-containerd: step ${name}: later steps do not get $${variable}, because the value contains a NUL byte`,
      );
    else if (Buffer.byteLength(`${variable}=${log}`) >= MAX_VARIABLE_BYTES)
      console.error(
        `wfe-containerd: step ${name}: later steps do not get $${variable}, because the value is longer than 128 KiB`,
      );
  }
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
