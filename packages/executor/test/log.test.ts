import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, readdir, readFile, readlink, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { createClient } from "@wfe-containerd/client";
import {
  createExecutor,
  type ExecutorOptions,
  type LogLine,
  type StepEvent,
  type StepHandle,
} from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { mountMemory } from "@wfe-containerd/test-infra/daemon/small-disk";
import { describe, expect, test } from "vitest";

const run = promisify(execFile);
const at = useDaemon();
const IMAGE = "busybox";
const KIB = 1024;
const MIB = 1024 * KIB;

function executor(options: ExecutorOptions = {}) {
  return createExecutor({ client: at.client, ioDir: at.ioDir, ...options });
}

/** What `seq` prints, and a command that prints its first bytes. */
function numbered(bytes: number): { command: string; text: string } {
  let text = "";
  for (let line = 1; text.length < bytes; line++) text += `${line}\n`;
  return { command: `seq 1000000 | head -c ${bytes}`, text: text.slice(0, bytes) };
}

describe("a log that is whole", () => {
  test.each([
    ["nothing", "true", ""],
    ["a line", "echo printed", "printed\n"],
    ["an end without a newline", "printf end", "end"],
  ])("says so: %s", async (_, command, stdout) => {
    await using runner = executor();
    const result = await runner.run({ name: "whole", image: IMAGE, run: command });
    expect(result).toMatchObject({ exitCode: 0, cause: "exit", truncated: false, stdout });
    expect(result.log).toEqual({
      complete: true,
      gaps: [],
      stdout: { bytes: stdout.length, tail: stdout, omittedBytes: 0 },
      stderr: { bytes: 0, tail: "", omittedBytes: 0 },
    });
  });

  test.each(["file", "fifo"] as const)("has both ends in the result (%s)", async (ioMode) => {
    await using runner = executor({ ioMode, captureBytes: 100 });
    const { command, text } = numbered(100_000);
    const { stdout, truncated, log } = await runner.run({ name: "ends", image: IMAGE, run: command });
    expect(truncated).toBe(true);
    expect(stdout).toBe(text.slice(0, 100));
    expect(log).toMatchObject({
      complete: true,
      stdout: { bytes: 100_000, tail: text.slice(-100), omittedBytes: 99_800 },
    });
  });

  test("is exact in the events too, in which nothing of our own marks is seen", async () => {
    await using runner = executor();
    const { command, text } = numbered(300_000);
    let seen = "";
    const onEvent = (event: StepEvent): void => {
      if (event.type === "output") seen += Buffer.from(event.data).toString("latin1");
    };
    const result = await runner.run({ name: "exact", image: IMAGE, run: command }, { onEvent });
    expect(seen === text).toBe(true);
    expect(result.log.complete).toBe(true);
  });

  test("is whole after its step was killed", async () => {
    await using runner = executor();
    const handle = runner.start({ name: "killed", image: IMAGE, run: "echo on; exec sleep 600" });
    for await (const event of handle) if (event.type === "output") handle.kill();
    expect(await handle.result).toMatchObject({ exitCode: 137, stdout: "on\n", log: { complete: true } });
  });
});

test("a background process that keeps the output open ends with the step, and holds nothing up (fault case 21)", async () => {
  await using runner = executor();
  const result = await runner.run({ name: "background", image: IMAGE, run: "sleep 600 & echo over" });
  expect(result).toMatchObject({ exitCode: 0, stdout: "over\n", log: { complete: true } });
});

test("a task that is given up before its start is deleted without waiting for us: we let go of its pipes", async () => {
  const before = new Set(await writtenPipes());
  const held: string[] = [];
  let deleted = 0;
  await using client = createClient({
    address: at.daemon.address,
    namespace: at.client.namespace,
    interceptors: [
      (next) => async (request) => {
        if (request.method.name !== "Delete" || !request.service.typeName.includes("tasks"))
          return next(request);
        deleted++;
        held.push(...(await writtenPipes()).filter((pipe) => !before.has(pipe)));
        return next(request);
      },
    ],
  });
  await using runner = executor({ client });
  const handle = runner.start({ name: "given-up", image: IMAGE, run: "true" });
  const reading = (async () => {
    for await (const event of handle) if (event.type === "phase" && event.phase === "starting") handle.stop();
  })();
  await expect(reading).rejects.toMatchObject({ kind: "aborted" });
  await handle.closed;
  expect(deleted).toBe(1);
  expect(held).toEqual([]);
});

/** The pipes that this process could write to. */
async function writtenPipes(): Promise<string[]> {
  const descriptors = await readdir("/proc/self/fd");
  const pipes = descriptors.map(async (name) => {
    const link = await readlink(`/proc/self/fd/${name}`).catch(() => "");
    const info = await readFile(`/proc/self/fdinfo/${name}`, "utf8").catch(() => "");
    const flags = Number.parseInt(/^flags:\s*(\d+)$/m.exec(info)?.[1] ?? "0", 8);
    return link.startsWith("pipe:") && (flags & constants.O_WRONLY) !== 0 ? [link] : [];
  });
  return (await Promise.all(pipes)).flat();
}

/** `WFE_LINE_MIB=1024` prints a line of a gigabyte. */
const LINE_MIB = Number(process.env["WFE_LINE_MIB"] ?? 256);

test("a long line of bytes that are no text is exact and takes little memory, and a line of text is cut with a mark (fault case 23)", async () => {
  await using runner = executor();
  const length = LINE_MIB * MIB;
  const rssBefore = process.memoryUsage.rss();
  const handle = runner.start({
    name: "line",
    image: IMAGE,
    run: `printf '\\303'; head -c ${length} /dev/zero; printf '\\251\\377'`,
  });
  const printed = createHash("sha256");
  let mostRss = 0;
  for await (const entry of handle.log.read()) {
    if (entry.type === "output") printed.update(entry.data);
    mostRss = Math.max(mostRss, process.memoryUsage.rss());
  }
  const whole = createHash("sha256").update(Buffer.from([0xc3]));
  for (let mib = 0; mib < LINE_MIB; mib++) whole.update(Buffer.alloc(MIB));
  expect(printed.digest("hex")).toBe(whole.update(Buffer.from([0xa9, 0xff])).digest("hex"));
  expect(mostRss - rssBefore).toBeLessThan(128 * MIB);
  const lines: LogLine[] = [];
  for await (const line of handle.log.lines({ maxLineBytes: 100 })) lines.push(line);
  expect(lines).toMatchObject([{ offset: 0, omittedBytes: length - 97 }]);
  expect((await handle.result).log).toMatchObject({ complete: true, stdout: { bytes: length + 3 } });
});

describe("a limit of the log", () => {
  const LIMIT = 1_000_000;
  const { command, text } = numbered(3_000_000);
  const OVER = `${command}; echo; echo '##wfe[output after=1]'; echo error >&2`;

  async function textOf(handle: StepHandle): Promise<{ text: string; gaps: unknown[] }> {
    const gaps: unknown[] = [];
    let read = "";
    for await (const entry of handle.log.read()) {
      if (entry.type === "gap") gaps.push(entry);
      else if (entry.stream === "stdout") read += Buffer.from(entry.data).toString("latin1");
    }
    return { text: read, gaps };
  }

  test("truncate: the first bytes are kept, the rest is counted, and its outputs count", async () => {
    await using runner = executor({ maxLogBytes: LIMIT, onLogLimit: "truncate" });
    const handle = runner.start({ name: "truncated", image: IMAGE, run: OVER });
    const seen = { stdout: "", stderr: "" };
    let gapBytes = 0;
    for await (const event of handle) {
      if (event.type === "output") seen[event.stream] += Buffer.from(event.data).toString("latin1");
      if (event.type === "gap") gapBytes += event.bytes;
    }
    const result = await handle.result;
    expect(result).toMatchObject({ exitCode: 0, cause: "exit", truncated: true, outputs: { after: "1" } });
    // If both files are there before this process looks, the other stream may be read first.
    expect(["", "error\n"]).toContain(seen.stderr);
    const kept = LIMIT - seen.stderr.length;
    const { log, warnings } = result;
    const printed = log.stdout.bytes + log.stderr.bytes;
    expect(printed).toBe(text.length + "\n##wfe[output after=1]\nerror\n".length);
    expect(seen.stdout === text.slice(0, kept)).toBe(true);
    expect(gapBytes).toBe(printed - LIMIT);
    expect(log.complete).toBe(false);
    expect(log.gaps[0]).toEqual({
      stream: "stdout",
      offset: kept,
      bytes: log.stdout.bytes - kept,
      reason: "log-limit",
    });
    expect(log.stderr.tail).toBe("error\n");
    expect(warnings.map(({ field }) => field)).toContain("max_log_bytes");
    const read = await textOf(handle);
    expect(read.text).toHaveLength(kept);
    expect(read.text === seen.stdout).toBe(true);
    expect(read.gaps[0]).toMatchObject({ stream: "stdout", offset: kept });
  });

  test("drop-oldest: events have everything, and the newest bytes can be read again", async () => {
    await using runner = executor({ maxLogBytes: 2 * LIMIT });
    const handle = runner.start({ name: "newest", image: IMAGE, run: command, maxLogBytes: LIMIT });
    let seen = 0;
    for await (const event of handle) if (event.type === "output") seen += event.data.byteLength;
    expect(seen).toBe(text.length);
    const { log } = await handle.result;
    const [gap] = log.gaps;
    expect(gap).toMatchObject({ stream: "stdout", offset: 0, reason: "log-limit" });
    const dropped = gap?.bytes ?? 0;
    expect(text.length - dropped).toBeLessThanOrEqual(LIMIT);
    expect(text.length - dropped).toBeGreaterThan(LIMIT / 4);
    const read = await textOf(handle);
    expect(read.text === text.slice(dropped)).toBe(true);
    expect(read.gaps).toEqual([{ type: "gap", stream: "stdout", offset: 0, bytes: dropped }]);
  });

  test("fail: the step is stopped, and the result says why and what to change", async () => {
    await using runner = executor();
    const step = {
      name: "stopped",
      image: IMAGE,
      run: "yes",
      maxLogBytes: LIMIT,
      onLogLimit: "fail",
    } as const;
    const result = await runner.run(step);
    expect(result).toMatchObject({ cause: "log-io-failed", truncated: true });
    expect(result.warnings).toEqual([
      { field: "max_log_bytes", message: expect.stringContaining("on_log_limit: truncate or drop-oldest") },
    ]);
  });

  test("of a step is at most that of the executor", async () => {
    await using runner = executor({ maxLogBytes: LIMIT });
    await expect(
      runner.run({ name: "more", image: IMAGE, run: "true", maxLogBytes: LIMIT + 1 }),
    ).rejects.toMatchObject({ kind: "refused", issues: [{ field: "maxLogBytes" }] });
    expect(() => createExecutor({ maxLogBytes: 0 })).toThrow(/maxLogBytes: 0 is not/);
  });

  test.each(["truncate", "drop-oldest"] as const)(
    "keeps the disk's use bounded while a step prints without end: %s (S14)",
    async (onLogLimit) => {
      await using disk = await mountMemory(at.daemon.directory, { sizeBytes: 1200 * MIB });
      await using runner = executor({ ioDir: disk.directory, maxLogBytes: 32 * MIB, onLogLimit });
      // About fifty megabytes a second. With all of a processor, a step can print a gigabyte while a busy
      // machine does not run us.
      const handle = runner.start({ name: "endless", image: IMAGE, run: "cat /dev/zero", cpu: 0.02 });
      let most = 0;
      const watch = setInterval(async () => {
        const { blocks, bfree, bsize } = await statfs(disk.directory);
        most = Math.max(most, (blocks - bfree) * bsize);
      }, 50);
      const printed = new Promise<void>((resolve) => {
        const poll = setInterval(async () => {
          const { stdout = 0 } = await printedBytes(disk.directory);
          if (stdout < 1024 * MIB) return;
          clearInterval(poll);
          resolve();
        }, 50);
      });
      await printed;
      handle.kill();
      const result = await handle.result;
      clearInterval(watch);
      expect(result).toMatchObject({ cause: "aborted", truncated: true });
      expect(most).toBeGreaterThan(16 * MIB);
      // The limit, the piece that is freed at once, and what is printed until that is done.
      expect(most).toBeLessThan(500 * MIB);
    },
  );
});

describe("a reader of the log", () => {
  test("reads all of it, live or afterwards, from any offset, beside others", async () => {
    await using runner = executor();
    const { command, text } = numbered(500_000);
    const handle = runner.start({ name: "read", image: IMAGE, run: `${command}; sleep 0.2; echo end` });
    const whole = `${text}end\n`;
    const live = Promise.all([read(handle), read(handle, 250_000)]);
    await handle.result;
    const [first, second] = await live;
    expect(first === whole).toBe(true);
    expect(second === whole.slice(250_000)).toBe(true);
    await handle.closed;
    expect((await read(handle)) === whole).toBe(true);
    expect(await read(handle, whole.length - 4)).toBe("end\n");
    expect(await read(handle, whole.length)).toBe("");
  });

  test("gets lines of text, of both streams, with times and offsets", async () => {
    await using runner = executor();
    const input = new PassThrough();
    const handle = runner.start(
      {
        name: "lines",
        image: IMAGE,
        run: "echo one; read -r go; echo two >&2; read -r go; printf 'thr\\303\\251e\\r\\nrest'",
      },
      { stdin: input },
    );
    const lines: LogLine[] = [];
    let askedAt = Date.now();
    for await (const line of handle.log.lines()) {
      lines.push(line);
      // The rest came with the third line.
      if (lines.length > 3) continue;
      expect(line.time.getTime(), line.text).toBeGreaterThanOrEqual(askedAt);
      askedAt = Date.now();
      expect(line.time.getTime(), line.text).toBeLessThanOrEqual(askedAt);
      // Both streams are read at the same time: only so their order is known.
      if (lines.length < 3) input.write("\n");
    }
    expect(lines.map(({ stream, offset, text }) => [stream, offset, text])).toEqual([
      ["stdout", 0, "one"],
      ["stderr", 0, "two"],
      ["stdout", 4, "thrée"],
      ["stdout", 12, "rest"],
    ]);
  });

  test("sees no secret, wherever it begins", async () => {
    await using runner = executor({ captureBytes: 100 });
    const value = "s3cret-value-of-this-step";
    const handle = runner.start(
      {
        name: "masked",
        image: IMAGE,
        run: "token=$(cat /run/secrets/token); for n in $(seq 2000); do echo line $n $token; done",
        secrets: ["token"],
      },
      { secrets: { token: value } },
    );
    await handle.result;
    const all = await read(handle);
    expect(all).not.toContain("s3cret");
    expect(all.match(/^line \d+ \*\*\*$/gm)).toHaveLength(2000);
    for (const offset of [1, 17, 5_000, 20_001]) expect(await read(handle, offset)).toBe(all.slice(offset));
  });

  test("of pipes gets the newest, and is told how much is missing", async () => {
    await using runner = executor({ ioMode: "fifo" });
    const { command, text } = numbered(3_000_000);
    const handle = runner.start({ name: "pipes", image: IMAGE, run: command });
    expect((await handle.result).log).toMatchObject({ complete: true, gaps: [] });
    const entries = [];
    for await (const entry of handle.log.read()) entries.push(entry);
    const [gap] = entries;
    if (gap?.type !== "gap") throw new Error("no gap");
    expect(gap.bytes).toBeLessThanOrEqual(text.length - MIB);
    const rest = entries.flatMap((entry) => (entry.type === "output" ? [entry.data] : []));
    expect(Buffer.concat(rest).toString() === text.slice(gap.bytes)).toBe(true);
  });

  test("ends by its signal, and by the handle's end", async () => {
    await using runner = executor();
    const handle = runner.start({ name: "ends", image: IMAGE, run: "echo on; exec sleep 600" });
    const stop = new AbortController();
    const stopped = (async () => {
      for await (const _ of handle.log.read({ signal: stop.signal })) stop.abort(new Error("enough"));
    })();
    await expect(stopped).rejects.toThrow("enough");
    const left = read(handle);
    left.catch(() => undefined);
    let now = "";
    for await (const entry of handle.log.read({ follow: false }))
      if (entry.type === "output") now += Buffer.from(entry.data).toString();
    expect(now).toBe("on\n");
    handle.kill();
    expect(await left).toBe("on\n");
    await handle[Symbol.asyncDispose]();
    await expect(read(handle)).rejects.toMatchObject({ kind: "invalid-argument" });
  });

  test("of a step that cannot be run gets nothing, and ends", async () => {
    await using runner = executor();
    const handle = runner.start({ name: "absent", image: "no-such-image", pull: "never", run: "true" });
    expect(await read(handle)).toBe("");
    await expect(handle.result).rejects.toMatchObject({ kind: "image-not-found" });
  });
});

async function read(handle: StepHandle, from = 0): Promise<string> {
  let text = "";
  for await (const entry of handle.log.read({ from: { stdout: from } }))
    if (entry.type === "output" && entry.stream === "stdout")
      text += Buffer.from(entry.data).toString("latin1");
  return text;
}

/** The sizes of the only step's files. */
async function printedBytes(directory: string): Promise<{ stdout?: number }> {
  const [step] = await readdir(directory);
  if (step === undefined) return {};
  const file = await stat(join(directory, step, "stdout")).catch(() => undefined);
  return file === undefined ? {} : { stdout: file.size };
}

describe("a disk that is full", () => {
  test.each([4, 40, 60])(
    "%i KiB before the end of a step that exits with 0: the step has failed, and the place of the gap is told (F10, fault case 9)",
    async (missingKib) => {
      await using disk = await mountMemory(at.daemon.directory, { sizeBytes: MIB });
      await using runner = executor({ ioDir: disk.directory });
      const before = await at.inventory();
      await disk.fill(256 * KIB);
      const { command, text } = numbered(256 * KIB + missingKib * KIB);
      const result = await runner.run({ name: "last", image: IMAGE, run: command });
      expect(result).toMatchObject({ cause: "log-io-failed", truncated: true, log: { complete: false } });
      const { bytes } = result.log.stdout;
      expect(bytes).toBeGreaterThan(200 * KIB);
      expect(bytes).toBeLessThanOrEqual(256 * KIB);
      expect(result.stdout).toBe(text.slice(0, bytes));
      expect(result.log.gaps).toEqual([{ stream: "stdout", offset: bytes, reason: "not-stored" }]);
      await at.expectNothingLeft(before);
    },
  );

  test("only while the step's task is created: nothing is lost, and the step is not stopped", async () => {
    await using disk = await mountMemory(at.daemon.directory, { sizeBytes: MIB });
    await using client = createClient({
      address: at.daemon.address,
      namespace: at.client.namespace,
      interceptors: [
        (next) => async (request) => {
          if (!request.service.typeName.endsWith("Tasks") || request.method.name !== "Create")
            return next(request);
          await disk.fill();
          const answer = await next(request);
          // Nobody tells that the disk was looked at. It is longer than from one look to the next.
          await delay(2_000);
          await disk.free();
          return answer;
        },
      ],
    });
    await using runner = executor({ client, ioDir: disk.directory });
    const result = await runner.run({ name: "later", image: IMAGE, run: "echo out; sleep 1; exit 7" });
    expect(result).toMatchObject({
      exitCode: 7,
      cause: "exit",
      stdout: "out\n",
      log: { complete: true, gaps: [] },
    });
  });

  test("for a moment: the step is stopped soon, although the disk is free again (F11)", async () => {
    await using disk = await mountMemory(at.daemon.directory, { sizeBytes: MIB });
    await using runner = executor({ ioDir: disk.directory });
    const input = new PassThrough();
    const handle = runner.start(
      {
        name: "moment",
        image: IMAGE,
        run: "echo on; read -r go; while :; do printf '%01024d' 0; sleep 0.01; done",
      },
      { stdin: input },
    );
    for await (const event of handle) if (event.type === "output") break;
    const shim = await shimOf(handle.id);
    const stdout = join(disk.directory, handle.id, "stdout");
    expect(await openFiles(shim)).toContain(stdout);
    await disk.fill();
    input.write("\n");
    // The shim has met the full disk, and has ended its copy.
    await expect.poll(() => openFiles(shim)).not.toContain(stdout);
    await disk.free();
    const result = await handle.result;
    const { bytes } = result.log.stdout;
    expect(result).toMatchObject({ cause: "log-io-failed", truncated: true });
    expect(result.log).toMatchObject({
      complete: false,
      gaps: [{ stream: "stdout", offset: bytes, reason: "not-stored" }],
    });
    // Only what came before the disk was full is there.
    expect(bytes).toBeLessThan(MIB / 2);
  });

  /** The process id of a running step's shim. */
  async function shimOf(id: string): Promise<string> {
    const { pid } = await at.client.tasks.get(id);
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    return /^PPid:\s*(\d+)/m.exec(status)?.[1] ?? "";
  }

  /** What a process has open; nothing after its end. */
  async function openFiles(pid: string): Promise<string[]> {
    const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
    return Promise.all(descriptors.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => "")));
  }

  test("of one stream: the other one is whole", async () => {
    await using disk = await mountMemory(at.daemon.directory, { sizeBytes: MIB });
    await using runner = executor({ ioDir: disk.directory });
    await disk.fill(128 * KIB);
    const { command } = numbered(160 * KIB);
    const { log } = await runner.run({ name: "one", image: IMAGE, run: `echo begun; ${command} >&2` });
    expect(log.stdout.bytes).toBe(6);
    expect(log.gaps).toEqual([{ stream: "stderr", offset: log.stderr.bytes, reason: "not-stored" }]);
  });

  test("before the step: the error names the directory (F13)", async () => {
    await using disk = await mountMemory(at.daemon.directory, { sizeBytes: MIB });
    await using runner = executor({ ioDir: disk.directory });
    await disk.fill();
    const running = runner.run({ name: "never", image: IMAGE, run: "true", extraHosts: { db: "10.0.0.1" } });
    await expect(running).rejects.toMatchObject({
      kind: "io",
      message: expect.stringMatching(/^could not make .*disk-.*: the disk is full/),
    });
  });

  test("or too many open files before the step: the error says which limit", async () => {
    await using runner = executor();
    const { stdout } = await run("prlimit", [
      "--pid",
      String(process.pid),
      "--nofile",
      "--output",
      "SOFT",
      "--noheadings",
    ]);
    const limit = Math.max(...(await readdir("/proc/self/fd")).map(Number)) + 16;
    await run("prlimit", ["--pid", String(process.pid), `--nofile=${limit}:`]);
    const taken: FileHandle[] = [];
    for (let full = false; !full; ) {
      await open("/dev/null").then(
        (file) => taken.push(file),
        () => {
          full = true;
        },
      );
    }
    try {
      const running = runner.run({ name: "never", image: IMAGE, run: "true" });
      await expect(running).rejects.toMatchObject({ kind: "io", message: expect.stringContaining("EMFILE") });
    } finally {
      for (const file of taken) await file.close();
      await run("prlimit", ["--pid", String(process.pid), `--nofile=${stdout.trim()}:`]);
    }
  });

  test("because of one step: that one is stopped, and the other goes on (F12)", async () => {
    await using disk = await mountMemory(at.daemon.directory, { sizeBytes: 400 * MIB });
    await using runner = executor({ ioDir: disk.directory });
    const innocent = runner.start({
      name: "innocent",
      image: IMAGE,
      run: "trap 'echo over; exit 0' USR1; while :; do echo on; sleep 0.02; done",
      stopSignal: "USR1",
    });
    for await (const event of innocent) if (event.type === "output") break;
    // It leaves less than the reserve, and never fills the disk, however late that is noticed.
    const run = `head -c ${320 * MIB} /dev/zero; exec sleep 1000`;
    const flood = await runner.run({ name: "flood", image: IMAGE, run });
    expect(flood).toMatchObject({ cause: "log-io-failed", truncated: true });
    innocent.stop();
    const result = await innocent.result;
    expect(result).toMatchObject({ exitCode: 0, cause: "aborted", log: { complete: true, gaps: [] } });
    expect(result.log.stdout.tail).toMatch(/on\nover\n$/);
  });
});
