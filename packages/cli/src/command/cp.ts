import { mkdtemp, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { PassThrough, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { drained } from "@wfe-containerd/client/internal";
import { createExecutor, type ExecInput, type Executor, UNRESTRICTED_POLICY } from "@wfe-containerd/executor";
import { type Command, Option } from "commander";
import { create, extract } from "tar";
import { closeAtEnd } from "../close-executor.js";
import { connect } from "../connection.js";
import { type CopyPath, parseCopyPath, splitSource } from "../copy-path.js";
import { fileProblem, UsageError } from "../failure.js";
import { writeOutput } from "../output.js";
import { printableLine } from "../printable.js";
import { activeStepOf } from "../steps.js";
import { catchStopSignals, codeOfSignal } from "../stop-signals.js";

interface CopyFlags {
  readonly followLink?: boolean;
  readonly user?: string;
}

/** Runs programs in the step. */
interface Place {
  readonly executor: Executor;
  readonly id: string;
  readonly user: string | undefined;
  readonly signal: AbortSignal;
}

const EXAMPLE = `
Examples:
  wfe-containerd cp build:/tmp/report.txt .
  wfe-containerd cp ./src build:/tmp            as /tmp/src
  wfe-containerd cp ./src/. build:/tmp/work     what is in src
  wfe-containerd cp build:/var/log - | tar t

The step must run, and its image needs the program tar. What may be read and written is decided by the step's user, or by --user.`;

/** Set-user-ID, set-group-ID and sticky bits of a hostile step's files do not get onto this machine. */
const PERMISSIONS = 0o777;

export function defineCp(command: Command): void {
  command
    .usage("[options] STEP:PATH PATH|-\n       wfe-containerd cp [options] PATH|- STEP:PATH")
    .description(
      "Copy files between a running step and this machine; - is a tar archive on standard output or input.",
    )
    .argument("<from>", "STEP:PATH, a path, or -")
    .argument("<to>", "STEP:PATH, a path, or -")
    .option("-L, --follow-link", "copy what a symbolic link leads to")
    .option("-u, --user <user>", "who reads or writes in the step (default: that of the step)")
    .addOption(new Option("-a, --archive").hideHelp())
    .addOption(new Option("-q, --quiet").hideHelp())
    .addHelpText("after", EXAMPLE)
    .action(async (from: string, to: string, flags: CopyFlags, self: Command) => {
      await copy(parseCopyPath(from), parseCopyPath(to), flags, self);
    });
}

async function copy(from: CopyPath, to: CopyPath, flags: CopyFlags, command: Command): Promise<void> {
  const word = from.type === "step" ? from.step : to.type === "step" ? to.step : undefined;
  if (word === undefined || (from.type === "step" && to.type === "step"))
    throw new UsageError(
      "cp: one of the two must be in a step, and the other not; example: cp build:/tmp/report.txt .",
    );
  if (to.type === "stream" && process.stdout.isTTY)
    throw new UsageError(
      "cp: standard output is a terminal; give a path, or redirect the output; example: cp build:/var/log - | tar t",
    );
  using signals = catchStopSignals({ stopping: null });
  await using client = await connect(command);
  const { id } = await activeStepOf(client, word);
  const executor = createExecutor({ client, policy: UNRESTRICTED_POLICY, reapIntervalMs: 0 });
  await using _ = closeAtEnd(executor);
  const place = { executor, id, user: flags.user, signal: signals.stop };
  const isFollowed = flags.followLink ?? false;
  try {
    if (from.type === "step") await copyOut(place, from.path, to, isFollowed);
    else if (to.type === "step") await copyIn(place, from, to.path, isFollowed);
  } catch (reason) {
    if (signals.received === undefined) throw reason;
    process.exitCode = codeOfSignal(signals.received);
  }
}

async function copyOut(place: Place, path: string, to: CopyPath, isFollowed: boolean): Promise<void> {
  const { directory, name } = splitSource(path);
  const archive = new PassThrough();
  const command = ["tar", isFollowed ? "chf" : "cf", "-", "-C", directory, "--", name];
  const sent = run(place, { command }, archive);
  sent.catch((reason: Error) => archive.destroy(reason));
  const taken = to.type === "local" ? unpack(archive, name, to.path) : pipeline(archive, passOn);
  const [first, second] = await Promise.allSettled([sent, taken]);
  // The step's own words explain it better than an archive that ends too early.
  for (const outcome of [first, second]) if (outcome.status === "rejected") throw outcome.reason;
}

async function passOn(archive: AsyncIterable<Buffer>): Promise<void> {
  for await (const chunk of archive) await writeOutput(process.stdout, chunk);
}

/** By docker's rules: into a directory that exists, else under the name that is given. */
async function unpack(archive: Readable, name: string, path: string): Promise<void> {
  const options = { strict: false, preserveOwner: false, filter: withoutSpecialBits };
  const isDirectory = await stat(path).then(
    (status) => status.isDirectory(),
    () => false,
  );
  if (isDirectory) return pipeline(archive, extract({ ...options, cwd: path }));
  const target = resolve(path);
  const parent = dirname(target);
  // Beside the target, so that it can be renamed.
  const temporary = await mkdtemp(join(parent, ".cp-")).catch((cause: NodeJS.ErrnoException) => {
    throw new UsageError(`cp: ${printableLine(path)} cannot be written: ${fileProblem(cause)}`, { cause });
  });
  try {
    await pipeline(archive, extract({ ...options, cwd: temporary }));
    await rename(name === "." ? temporary : join(temporary, name), target);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

function withoutSpecialBits(_path: string, entry: object): boolean {
  if ("mode" in entry && typeof entry.mode === "number") entry.mode &= PERMISSIONS;
  return true;
}

async function copyIn(
  place: Place,
  from: Exclude<CopyPath, { readonly type: "step" }>,
  path: string,
  isFollowed: boolean,
): Promise<void> {
  const isDirectory = path.endsWith("/") || (await isDirectoryInStep(place, path));
  if (from.type === "stream") {
    if (!isDirectory) throw new UsageError(`cp: ${printableLine(path)} is not a directory of the step`);
    return run(place, { command: UNPACK(path), stdin: process.stdin });
  }
  const { directory, name } = splitSource(from.path);
  await stat(from.path).catch((cause: NodeJS.ErrnoException) => {
    throw new UsageError(`cp: ${printableLine(from.path)} cannot be read: ${fileProblem(cause)}`, { cause });
  });
  const newName = isDirectory || name === "." ? name : basename(path);
  const archive = create(
    {
      cwd: resolve(directory),
      follow: isFollowed,
      portable: true,
      onWriteEntry(entry) {
        entry.path = newName + entry.path.slice(name.length);
      },
    },
    [name],
  );
  if (!isDirectory && name === ".") await run(place, { command: ["mkdir", "-p", path] });
  const stdin = archive as unknown as AsyncIterable<Uint8Array>;
  await run(place, { command: UNPACK(isDirectory || name === "." ? path : dirname(path)), stdin });
}

/** `o`: the files belong to who writes them. */
const UNPACK = (directory: string): string[] => ["tar", "xof", "-", "-C", directory];

async function isDirectoryInStep({ executor, id, user, signal }: Place, path: string): Promise<boolean> {
  const process = await executor.exec(id, { command: ["test", "-d", path], user, signal });
  const { exitCode } = await process.result;
  return exitCode === 0;
}

/** Runs a program in the step, to its end. What it says when it fails is the error. */
async function run(
  { executor, id, user, signal }: Place,
  input: ExecInput,
  output?: PassThrough,
): Promise<void> {
  const handle = await executor.exec(id, { ...input, user, signal, workingDir: "/" });
  for await (const event of handle) {
    if (event.type === "gap")
      throw new UsageError("cp: the files were read too slowly; nothing can be relied on");
    if (event.type !== "output" || event.stream !== "stdout" || output === undefined) continue;
    if (!output.write(event.data)) await drained(output);
  }
  output?.end();
  const { ok, exitCode, stderr } = await handle.result;
  if (ok) return;
  const said = stderr.trim().split("\n").filter(saysWhat).map(printableLine).join("; ");
  throw new UsageError(
    said === "" ? `cp: the step's tar ended with ${exitCode}` : `cp: in the step: ${said}`,
  );
}

/** At the end, tar only repeats that there were errors. */
function saysWhat(line: string): boolean {
  return !/ previous errors$/.test(line);
}
