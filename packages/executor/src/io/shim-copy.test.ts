import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { type FileHandle, mkdtemp, open, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findShim, isRunning } from "./shim-copy.js";

let directory: string;
let files: FileHandle[];
/** Like a shim, it holds the reading end of a child's pipe, and the files. */
let shim: ChildProcessByStdio<Writable, Readable, null>;
/** The child. */
let pid: number;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "wfe-shim-"));
  const paths = ["stdout", "stderr", "close"].map((name) => join(directory, name));
  files = await Promise.all(paths.slice(0, 2).map((path) => open(path, "wx+")));
  // Both tell when they have opened what they hold. The child does it from another process: for `>&6`, a
  // shell has another file at descriptor 1 until a moment after it has printed.
  const script = `exec 6>&1; mkfifo "$3"
    exec 3< <(exec 2>&1 7<>"$3"; me=$BASHPID; (echo "child $me" >&6); read -u 7; exec >&- 2>&-; read -u 7) 4>>"$1" 5>>"$2"
    echo ready; exec cat`;
  shim = spawn("bash", ["-c", script, "bash", ...paths], { stdio: ["pipe", "pipe", "inherit"] });
  let printed = "";
  while (!/ready/.test(printed) || !/child \d+\n/.test(printed))
    printed += String(((await once(shim.stdout, "data")) as [Buffer])[0]);
  pid = Number(/child (\d+)/.exec(printed)?.[1]);
});

afterEach(async () => {
  if (await isRunning(pid)) process.kill(pid, "SIGKILL");
  const closed = once(shim, "close");
  shim.stdin.end();
  await closed;
  await Promise.all(files.map((file) => file.close()));
  await rm(directory, { recursive: true });
});

test("a shim is found by the files and the pipes that it has open", async () => {
  const found = await findShim(pid, files);
  expect(await Promise.all(found?.copies.map((copy) => copy.isRunning()) ?? [])).toEqual([true, true]);
  expect([await found?.hasProcess(), await found?.isAlive()]).toEqual([true, true]);
  await Promise.all(found?.copies.map((copy) => copy.close()) ?? []);
});

// A further process in a container runs already when its shim is looked for.
test.each<[string, () => Promise<void>]>([
  ["ends", async () => void process.kill(pid, "SIGKILL")],
  ["closes its output", () => writeFile(join(directory, "close"), "\n")],
])("of a process that %s meanwhile, nobody knows whether its copies have ended", async (_, end) => {
  const [stdout, stderr] = files as [FileHandle, FileHandle];
  const endsMeanwhile = {
    async stat() {
      await end();
      while (await isOpen()) await nextTurn();
      return stderr.stat();
    },
  } as FileHandle;
  expect(await findShim(pid, [stdout, endsMeanwhile])).toBeUndefined();
});

/** Whether the child has its stderr open. */
function isOpen(): Promise<boolean> {
  return readlink(`/proc/${pid}/fd/2`).then(
    () => true,
    () => false,
  );
}
