import { createHash, randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { PassThrough } from "node:stream";
import {
  createExecutor,
  type ExecInput,
  type ExecutorOptions,
  observe,
  type StepHandle,
} from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { describe, expect, test } from "vitest";
import { printed } from "./printed.js";

const at = useDaemon();

/** Runs a container whose process waits, and gives its handle. */
async function withStep<T>(
  use: (step: StepHandle) => Promise<T>,
  fields: object = {},
  options: ExecutorOptions = {},
) {
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir, ...options });
  await using step = executor.start({
    name: "host",
    image: "busybox",
    command: ["/bin/sleep", "1000"],
    stopSignal: "KILL",
    ...fields,
  });
  await step.started;
  return await use(step);
}

async function run(step: StepHandle, process: ExecInput) {
  await using handle = step.exec(process);
  return await handle.result;
}

describe.each(["file", "fifo"] as const)("a process in a step's container, in %s mode", (ioMode) => {
  test("has its own output, exit code, variables, user and directory", async () => {
    await withStep(
      async (step) => {
        const result = await run(step, {
          run: 'echo "$A $B"; id; pwd >&2; exit 3',
          env: { B: "2" },
          user: "12:34",
          workingDir: "/tmp",
        });
        expect(result).toMatchObject({
          name: "host",
          exitCode: 3,
          ok: false,
          cause: "exit",
          stderr: "/tmp\n",
        });
        expect(result.stdout).toBe("1 2\nuid=12 gid=34 groups=34\n");
        expect(result.log.complete).toBe(true);
      },
      { env: { A: "1" } },
      { ioMode },
    );
  });

  test("reads its standard input to the end, and may stop before", async () => {
    await withStep(
      async (step) => {
        expect(await run(step, { command: ["cat"], stdin: "hello\n" })).toMatchObject({
          exitCode: 0,
          stdout: "hello\n",
        });
        expect(await run(step, { command: ["wc", "-c"], stdin: "" })).toMatchObject({ stdout: "0\n" });
        const endless = createEndless();
        const first = await run(step, { command: ["head", "-c", "3"], stdin: endless.source });
        expect(first).toMatchObject({ exitCode: 0, stdout: "aaa" });
        await endless.left;
      },
      {},
      { ioMode },
    );
  });

  test("has a terminal, whose size changes", async () => {
    await withStep(
      async (step) => {
        const input = new PassThrough();
        await using shell = step.exec({
          run: "stty size; test -t 0 && test -t 1 && echo terminal; read line; echo got $line $TERM; stty size",
          terminal: { columns: 91, rows: 33 },
          stdin: input,
        });
        await printed(shell, "terminal\r\n");
        await shell.resize({ columns: 100, rows: 40 });
        input.write("typed\n");
        const { stdout, stderr, exitCode } = await shell.result;
        expect({ stdout, stderr, exitCode }).toEqual({
          stdout: "33 91\r\nterminal\r\ntyped\r\ngot typed xterm\r\n40 100\r\n",
          stderr: "",
          exitCode: 0,
        });
        expect(input.destroyed).toBe(true);
      },
      {},
      { ioMode },
    );
  });
});

test("a step reads 64 MiB from its standard input exactly, and no faster than it can", async () => {
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
  const block = randomBytes(1024 * 1024);
  const hash = createHash("sha256");
  let given = 0;
  async function* source() {
    for (let i = 0; i < 64; i++) {
      hash.update(block);
      given++;
      yield block;
    }
  }
  const handle = executor.start(
    {
      name: "hash",
      image: "busybox",
      run: "mkfifo /tmp/go; echo ready; read -r go < /tmp/go; sha256sum",
      tmpfs: ["/tmp"],
    },
    { stdin: source() },
  );
  await using step = handle;
  // Output may come before the answer to the start.
  await Promise.all([printed(step, "ready"), step.started]);
  const before = given;
  await using go = step.exec({ run: "echo go > /tmp/go" });
  expect((await step.result).stdout).toContain(hash.digest("hex"));
  expect([before <= 2, given]).toEqual([true, 64]);
  await go.closed;
});

describe("the standard input of a step", () => {
  test("that cannot be read to its end stops the step, and is an error", async () => {
    await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
    async function* source() {
      yield "a\n";
      throw new Error("the disk is gone");
    }
    const step = { name: "input", image: "busybox", command: ["cat"], stopSignal: "KILL" };
    await expect(executor.run(step, { stdin: source() })).rejects.toMatchObject({
      kind: "io",
      message: "stdin: could not be read to its end: the disk is gone",
    });
  });

  test("that nobody can read is refused", async () => {
    await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
    for (const stdin of [7, {}, null, ["a"]])
      await expect(
        executor.run({ name: "input", image: "busybox", run: "true" }, { stdin: stdin as never }),
      ).rejects.toMatchObject({ kind: "invalid-argument", message: expect.stringMatching(/^stdin: is /) });
    async function* numbers() {
      yield 1;
    }
    const step = { name: "input", image: "busybox", command: ["cat"], stopSignal: "KILL" };
    await expect(executor.run(step, { stdin: numbers() as never })).rejects.toMatchObject({
      message: "stdin: could not be read to its end: it gives number; allowed: text or bytes",
    });
  });
});

test("a step has a terminal", async () => {
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
  const step = { name: "shell", image: "busybox", run: "stty size; tty; echo $TERM; cat" };
  const result = await executor.run(step, { terminal: { columns: 80, rows: 24 }, stdin: "x\n" });
  expect(result).toMatchObject({ exitCode: 0, stderr: "" });
  // The terminal echoes what is typed when it arrives: before, after, or in the middle of what the step says.
  expect(result.stdout.match(/x\r\n/g)).toHaveLength(2);
  expect(result.stdout.replaceAll("x\r\n", "")).toBe("24 80\r\n/dev/pts/0\r\nxterm\r\n");
  for (const terminal of [{ columns: 0, rows: 1 }, { columns: 80 }, { columns: 1, rows: 65_536 }])
    await expect(executor.run(step, { terminal: terminal as never })).rejects.toMatchObject({
      kind: "refused",
      message: expect.stringMatching(/^terminal\.(columns|rows): .*; allowed: a whole number from 1/),
    });
});

describe("what a further process may do", () => {
  const STATUS = "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status; ulimit -Hn";

  test.each(["65534", "0"])("is at most what a step of user %s may", async (user) => {
    await withStep(
      async (step) => {
        const first = (await run(step, { run: `cat /proc/1/status | grep -E '^(Cap|NoNewPrivs|Seccomp:)'` }))
          .stdout;
        const [root, other] = [
          await run(step, { run: STATUS, user: "0" }),
          await run(step, { run: STATUS, user: "7" }),
        ];
        const of = (text: string, name: string) => new RegExp(`^${name}:\\s*(\\w+)`, "m").exec(text)?.[1];
        for (const { stdout } of [root, other]) {
          expect([of(stdout, "CapBnd"), of(stdout, "NoNewPrivs"), of(stdout, "Seccomp")]).toEqual([
            of(first, "CapBnd"),
            "1",
            "2",
          ]);
        }
        expect(of(root.stdout, "CapEff")).toBe(of(first, "CapBnd"));
        expect(of(other.stdout, "CapEff")).toBe("0000000000000000");
        expect(of(other.stdout, "CapAmb")).toBe("0000000000000000");
        expect([root, other].map(({ stdout }) => stdout.trim().split("\n").at(-1))).toEqual(["200", "200"]);
      },
      { user, ulimits: { nofile: { soft: 100, hard: 200 } } },
    );
  });

  test("is as the image's user files say, by name", async () => {
    await withStep(async (step) => {
      expect((await run(step, { command: ["id"], user: "root" })).stdout).toContain(
        "uid=0(root) gid=0(root)",
      );
      expect((await run(step, { command: ["id", "-G"], groupAdd: [55] })).stdout).toBe("65534 55\n");
      await expect(run(step, { command: ["id"], user: "nobody-there" })).rejects.toMatchObject({
        kind: "refused",
        message: expect.stringMatching(/^user: the image has no user "nobody-there"/),
      });
      await expect(run(step, { command: ["id"], user: "image" })).rejects.toMatchObject({ kind: "refused" });
    });
  });
});

test("a script that has to be a file is one", async () => {
  await withStep(async (step) => {
    const long = `#!/bin/sh\n${"# long\n".repeat(20_000)}echo "$0 $1"; id -u`;
    const results = await Promise.all([1, 2].map((user) => run(step, { run: long, user: `${user}` })));
    expect(results.map(({ stdout }) => stdout.split("\n")[1])).toEqual(["1", "2"]);
    const shell = await run(step, { run: "echo $0; exit 4", shell: "sh {0} a" });
    expect(shell).toMatchObject({
      exitCode: 4,
      stdout: expect.stringMatching(/^\/\.wfe-script\/exec-\w+-0\n$/),
    });
  });
  await withStep(
    async (step) => {
      await expect(run(step, { run: "#!/bin/sh\ntrue" })).rejects.toMatchObject({
        message: expect.stringMatching(/^run: the script has to be a file, and .* is read-only; allowed: /),
      });
      expect(await run(step, { run: "true" })).toMatchObject({ cause: "exit", exitCode: 0 });
    },
    { readOnly: true },
  );
});

describe("the end of a further process", () => {
  test("comes by its time-out, by stop() and by kill(), and the step runs on", async () => {
    await withStep(async (step) => {
      // No process ends by this signal, not even one that has only just begun.
      const late = { command: ["sleep", "1000"], stopSignal: "SIGWINCH", stopGraceMs: 50, timeoutMs: 300 };
      expect(await run(step, late)).toMatchObject({
        cause: "timeout",
        exitCode: 137,
        reason: "ran longer than its time-out, and was stopped; exit code 137 (SIGKILL)",
      });
      const stubborn = { run: "trap '' TERM; echo on; while :; do sleep 0.05; done", stopGraceMs: 50 };
      await using polite = step.exec({
        run: "trap 'exit 5' TERM; echo on; while :; do sleep 0.05; done",
        stopGrace: "1m",
      });
      await printed(polite, "on");
      polite.stop();
      expect(await polite.result).toMatchObject({ cause: "aborted", exitCode: 5 });
      const abort = new AbortController();
      await using killed = step.exec({ ...stubborn, signal: abort.signal });
      await printed(killed, "on");
      abort.abort();
      expect(await killed.result).toMatchObject({ cause: "aborted", exitCode: 137 });
      expect(await run(step, { command: ["true"] })).toMatchObject({ cause: "exit", exitCode: 0 });
    });
  });

  test("is told as the container's, if the step ends first", async () => {
    await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
    await using step = executor.start(
      { name: "host", image: "busybox", run: "echo on; read -r x", stopSignal: "KILL" },
      { stdin: new PassThrough() },
    );
    await step.started;
    await using further = step.exec({ run: "echo on; exec sleep 1000" });
    await printed(further, "on");
    step.stop();
    expect(await further.result).toMatchObject({ cause: "container-ended", exitCode: 137, stdout: "on\n" });
    expect(await step.result).toMatchObject({ cause: "aborted" });
    await expect(step.exec({ command: ["true"] }).result).rejects.toMatchObject({
      kind: "refused",
      message:
        "the step has ended, and its container takes no more processes; allowed: a process while it runs",
    });
  });
});

test("a process is told to observers, with its phases, and without what it runs", async () => {
  const told: string[] = [];
  const say = (...parts: unknown[]): void => void told.push(parts.filter((part) => part).join(" "));
  let ids: readonly string[] = [];
  const stop = observe({
    exec: {
      start: ({ id, stepId, name }) => say("start", id, stepId, name),
      end: ({ id, stepId, name, cause, exitCode, errorKind, runMs, durationMs }) => {
        say("end", id, stepId, name, cause, exitCode, errorKind);
        expect([cause === undefined, durationMs]).toEqual([runMs === undefined, expect.any(Number)]);
      },
    },
    phase: { end: ({ id, phase }) => void (id.startsWith("exec-") && phase === "running" && say(phase, id)) },
  });
  try {
    await withStep(async (step) => {
      await using three = step.exec({ name: "three", run: "echo out; exit 3" });
      await three.closed;
      await using none = step.exec({ command: ["no-such-program"] });
      await none.closed;
      ids = [three.id, none.id, step.id];
    });
  } finally {
    stop();
  }
  const [three, none, step] = ids;
  expect(told).toEqual([
    `start ${three} ${step} three`,
    `running ${three}`,
    `end ${three} ${step} three exit 3`,
    `start ${none} ${step}`,
    `end ${none} ${step} command-not-found`,
  ]);
});

test("a process that cannot be started says why", async () => {
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
  await using step = executor.start({
    name: "host",
    image: "busybox",
    command: ["sleep", "1000"],
    stopSignal: "KILL",
  });
  await expect(step.exec({ command: ["true"] }).result).rejects.toMatchObject({
    kind: "refused",
    message: expect.stringContaining("does not run yet"),
  });
  await step.started;
  const before = await at.inventory();
  for (const [process, expected] of [
    [{ command: ["absent"] }, { kind: "command-not-found" }],
    [{ command: ["/etc"] }, { kind: "command-not-executable" }],
    [
      { command: ["true"], workingDir: "/absent" },
      { kind: "refused", message: /^workingDir: / },
    ],
    [{}, { kind: "invalid-step", message: /command: is missing/ }],
    [
      { command: ["true"], image: "other" },
      { kind: "invalid-step", message: /image: belongs to the container/ },
    ],
    [
      { command: ["true"], memory: "1g" },
      { kind: "invalid-step", message: /memory: belongs to the container/ },
    ],
    [
      { command: ["true"], comand: 1 },
      { kind: "invalid-step", message: /comand: is an unknown field/ },
    ],
    [{ command: ["true"], run: "true" }, { kind: "invalid-step" }],
    [{ command: ["true"], env: { "A=": "1" } }, { kind: "invalid-step" }],
    [{ command: ["true"], timeoutMs: 0 }, { kind: "invalid-step" }],
    ["ls", { kind: "invalid-step" }],
    [undefined, { kind: "invalid-step" }],
  ] as const) {
    const handle = step.exec(process as never);
    const { message, ...rest } = expected as { kind: string; message?: RegExp };
    await expect(handle.result).rejects.toMatchObject({
      ...rest,
      ...(message && { message: expect.stringMatching(message) }),
    });
    await expect(handle.started).rejects.toMatchObject(rest);
    expect((await handle.closed).unreleased).toEqual([]);
    await handle[Symbol.asyncDispose]();
  }
  await at.expectNothingLeft(before);
});

test("a secret of the step is masked in what a further process prints", async () => {
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
  await using step = executor.start(
    { name: "host", image: "busybox", command: ["sleep", "1000"], secrets: ["token"], stopSignal: "KILL" },
    { secrets: { token: "hunter2" } },
  );
  await step.started;
  expect(await run(step, { run: "cat /run/secrets/token" })).toMatchObject({ stdout: "***", exitCode: 0 });
});

test("further processes leave nothing: no files, descriptors, or processes of the shim", async () => {
  const count = Number(process.env["WFE_EXEC_ROUNDS"] ?? 40);
  await withStep(async (step) => {
    const inside = { run: "ls /proc/1/fd | wc -l; ls -A / /tmp | wc -l" };
    const before = { files: await openFiles(), inside: (await run(step, inside)).stdout };
    const inventory = await at.inventory();
    for (let done = 0; done < count; done += 4)
      await Promise.all(
        [1, 2, 3, 4].map(async (code) => {
          const result = await run(step, { run: `cat; exit ${code}`, stdin: `${code}` });
          expect(result).toMatchObject({ exitCode: code, stdout: `${code}` });
        }),
      );
    const after = { files: await openFiles(), inside: (await run(step, inside)).stdout };
    expect(after.inside).toBe(before.inside);
    expect(await at.client.tasks.pids(step.id)).toHaveLength(1);
    // A shim from 2.1 on opens a few files at its first exec. A leak would be one for each of them, or more.
    for (const [at, files] of after.files.entries())
      expect(files).toBeLessThan((before.files[at] ?? 0) + count / 4);
    await at.expectNothingLeft(inventory);
  });

  /** Of this process, and of the shim. */
  async function openFiles() {
    const [task] = await at.client.tasks.list();
    const status = await readFile(`/proc/${task?.pid}/status`, "utf8");
    const shim = /^PPid:\s*(\d+)/m.exec(status)?.[1];
    const counts = await Promise.all(
      ["self", shim].map(async (pid) => (await readdir(`/proc/${pid}/fd`)).length),
    );
    return counts;
  }
});

/** A source without an end. `left` resolves when nobody reads it any more. */
function createEndless() {
  let leave = (): void => undefined;
  const left = new Promise<void>((resolve) => {
    leave = resolve;
  });
  async function* source() {
    try {
      for (;;) yield "a".repeat(65_536);
    } finally {
      leave();
    }
  }
  return { source: source(), left };
}
