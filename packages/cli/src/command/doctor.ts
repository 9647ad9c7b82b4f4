import { tmpdir } from "node:os";
import type { Client } from "@wfe-containerd/client";
import type { Command } from "commander";
import { connect } from "../connection.js";
import { checkClock, checkConnection, checkPlugins } from "../doctor/daemon.js";
import { type Finding, fail, ok, warn } from "../doctor/finding.js";
import { checkCgroups, checkCni, checkDisk, checkRunc } from "../doctor/machine.js";
import { checkStep } from "../doctor/probe.js";
import { globalOptions } from "../global-options.js";
import { ownVersion } from "../own-version.js";
import { printableLine } from "../printable.js";
import { printRows } from "../rows.js";
import { collect } from "../transfer.js";
import { wrap } from "../wrap.js";

interface DoctorFlags {
  readonly image?: string;
  readonly step: boolean;
  readonly cniPlugins?: readonly string[];
}

/** As for other programs that check something. 125 is for a doctor that could not begin. */
const NOT_WELL = 1;

const EXAMPLE = `
Examples:
  wfe-containerd doctor
  wfe-containerd doctor --image alpine:3.20       pull the image for the step, if it is not there
  wfe-containerd doctor --no-step --format json

Exit codes: 0, steps can run (there may be warnings); 1, something failed.`;

export function defineDoctor(command: Command): void {
  command
    .description(
      "Check that steps can run: the connection, versions with known CVEs, snapshotter, cgroups, CNI plugins, clock, disk, and a step that shares a directory with this machine. Each line says what to do.",
    )
    .option("--image <image>", "image with a shell for the step (default: one that is there)")
    .option("--no-step", "do not run a step")
    .option("--cni-plugins <directory>", "directory of the CNI plugins", collect)
    .addHelpText("after", EXAMPLE)
    .action(async (flags: DoctorFlags, self: Command) => {
      await using client = await connect(self);
      const { format } = globalOptions(self);
      const findings: Finding[] = [];
      for await (const finding of examine(client, flags)) {
        findings.push(finding);
        // One after another: a check that takes long, or hangs, is seen.
        if (format === "table") printFinding(finding);
      }
      if (format !== "table")
        await printRows(findings, { format, columns: ["result", "check", "found", "advice"] });
      if (findings.some(({ result }) => result === "fail")) process.exitCode = NOT_WELL;
    });
}

async function* examine(client: Client, flags: DoctorFlags): AsyncGenerator<Finding> {
  yield ok("wfe-containerd", `${ownVersion()}, Node.js ${process.version}`);
  const connection = await checkConnection(client);
  yield* connection;
  if (connection.some(({ result }) => result === "fail")) return;
  yield* await attempt("plugins", () => checkPlugins(client));
  yield* await attempt("clock", async () => [await checkClock(client)]);
  if (client.isLocal && process.platform === "linux") {
    yield await checkRunc();
    yield await checkCgroups();
    yield await checkCni(flags.cniPlugins);
    yield* await attempt("disk", async () => {
      const root = await daemonRoot(client);
      return root === undefined ? [] : [await checkDisk("the daemon's", root)];
    });
  } else {
    yield warn(
      "machine",
      "runc, cgroups, CNI plugins and the daemon's disk cannot be seen from here",
      "call doctor on the daemon's machine, too",
    );
  }
  yield await checkDisk("output of steps", process.env["WFE_IO_DIR"] ?? tmpdir());
  if (flags.step) yield* await checkStep(client, flags.image);
}

/** A check that cannot be made is a finding, and the others are made. */
async function attempt(check: string, run: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await run();
  } catch (reason) {
    return [fail(check, reason instanceof Error ? reason.message : String(reason), "see the daemon's log")];
  }
}

/** Plugins tell their own directories, which are below the daemon's root. */
async function daemonRoot(client: Client): Promise<string | undefined> {
  const plugins = await client.introspection.plugins(["type==io.containerd.content.v1"]);
  return plugins.map(({ exports }) => exports["root"]).find((root) => root !== undefined);
}

function printFinding({ result, check, found, advice }: Finding): void {
  printHanging(result.padEnd(INDENT), `${check}: ${found}`);
  if (advice !== "") printHanging(" ".repeat(INDENT), `-> ${advice}`);
}

const INDENT = 6;

/** On a terminal, what does not fit goes on below the text. In a pipe it stays one line. */
function printHanging(head: string, text: string): void {
  const { isTTY, columns } = process.stdout;
  const line = printableLine(text);
  const lines = isTTY ? wrap(line, (columns || 80) - INDENT) : [line];
  console.log(head + lines.join(`\n${" ".repeat(INDENT)}`));
}
