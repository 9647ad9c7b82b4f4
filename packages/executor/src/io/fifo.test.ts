import { closeSync, openSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openFifoIo } from "./fifo.js";

/** Longer than silent pipes are waited for after the process has ended. */
const STOP_MS = 5_500;

test("output that comes while this process stands still is read, and is no silence", async () => {
  const parent = await mkdtemp(join(tmpdir(), "test-fifo-"));
  const io = await openFifoIo(join(parent, "io"), { terminal: false });
  try {
    const [stdout, stderr] = [io.stdio.stdout, io.stdio.stderr].map((path) => openSync(path, "w")) as [
      number,
      number,
    ];
    let text = "";
    io.read(
      (stream, chunk) => {
        text += `${stream}: ${Buffer.from(chunk)}`;
        return undefined;
      },
      () => 0,
    );
    const finishing = Promise.all([io.finish("stdout"), io.finish("stderr")]);
    // As if it came during a SIGSTOP: nothing is read before the timers are late.
    writeSync(stdout, "late\n");
    for (const fd of [stdout, stderr]) closeSync(fd);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STOP_MS);
    expect(await finishing).toEqual(["whole", "whole"]);
    expect(text).toBe("stdout: late\n");
  } finally {
    await io.close();
    await rm(parent, { recursive: true });
  }
});
