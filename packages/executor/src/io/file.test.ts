import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdtemp, readdir, readFile, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openFileIo, reopenFileIo } from "./file.js";
import type { StepIo } from "./io.js";
import { readToEnd } from "./read-to-end.js";
import { createSeal } from "./seal.js";

const NEVER = new AbortController().signal;
let parent = "";
let io: StepIo;
let read = { stdout: 0, stderr: 0 };

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "file-io-"));
  io = await openFileIo(join(parent, "step"), { shared: false, seal: createSeal() });
  read = { stdout: 0, stderr: 0 };
  io.read(
    (stream, chunk) => {
      read[stream] += chunk.byteLength;
      return undefined;
    },
    () => 0,
  );
});
afterEach(async () => {
  await io.close();
  await rm(parent, { recursive: true });
});

test("where the shim cannot be looked at, output that fits into what was allocated is whole, more is unknown", async () => {
  // A daemon on another machine: its process ids say nothing here.
  await io.attach({ pid: process.pid, isLocal: false });
  await appendFile(io.stdio.stdout, new Uint8Array(1024 * 1024));
  await appendFile(io.stdio.stderr, new Uint8Array(1024 * 1024 + 1));
  await io.seal();
  expect(await readToEnd(io, NEVER)).toEqual({ stdout: "whole", stderr: "unknown" });
  expect(read).toEqual({ stdout: 1024 * 1024, stderr: 1024 * 1024 + 1 });
});

test("a process whose parent does not have our files open is no shim's", async () => {
  await io.attach({ pid: process.pid, isLocal: true });
  await appendFile(io.stdio.stdout, "printed");
  await io.seal();
  expect(await readToEnd(io, NEVER)).toEqual({ stdout: "whole", stderr: "whole" });
  expect(read.stdout).toBe(7);
});

test("without any promise about the disk nothing is claimed", async () => {
  await appendFile(io.stdio.stdout, "printed");
  expect(await readToEnd(io, NEVER)).toEqual({ stdout: "unknown", stderr: "unknown" });
});

test("what a process has not copied yet is waited for, and its closing the file ends that", async () => {
  const again = await reopenFileIo(join(parent, "step"), { shared: false, seal: createSeal() });
  const script = `exec 3>>"$1"; echo open; read -r go; echo late >&3; exec 3>&-; read -r go`;
  const copier = spawn("sh", ["-c", script, "sh", io.stdio.stdout], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    await once(copier.stdout, "data");
    const closed = again.closedBy([copier.pid ?? 0], 600_000);
    copier.stdin.write("\n");
    expect(await closed).toBe(true);
    expect(await readFile(io.stdio.stdout, "utf8")).toBe("late\n");
  } finally {
    const ended = once(copier, "close");
    copier.stdin.end();
    await ended;
    await again.close();
  }
});

test("closing leaves no file open, also twice", async () => {
  expect(await openFiles()).toHaveLength(2);
  await io.close();
  await io.close();
  expect(await openFiles()).toEqual([]);
});

async function openFiles(): Promise<string[]> {
  const descriptors = await readdir("/proc/self/fd");
  const links = descriptors.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => ""));
  return (await Promise.all(links)).filter((link) => link.startsWith(parent));
}
