import { appendFile, mkdtemp, readdir, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openFileIo } from "./file.js";
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
