import { chmod, mkdtemp, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { context, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { createClient } from "@wfe-containerd/client";
import { createDeferred } from "@wfe-containerd/client/internal";
import {
  createExecutor,
  type Executor,
  type ExecutorOptions,
  logTo,
  observe,
  type Policy,
  type StepEvent,
  type StepInput,
  toWorkflowData,
} from "@wfe-containerd/executor";
import { instrument } from "@wfe-containerd/executor/opentelemetry";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { createRuncStandIn } from "@wfe-containerd/test-infra/daemon/runc-stand-in";
import { afterAll, afterEach, describe, expect, test } from "vitest";

const runc = await createRuncStandIn();
const at = useDaemon({ binDir: runc.binDir });
afterEach(() => runc.heal());
afterAll(() => runc[Symbol.asyncDispose]());
const IMAGE = "busybox";
/** The policy of an operator who trusts the steps. */
const OPEN: Partial<Policy> = {
  mountSources: [tmpdir()],
  hostNetwork: true,
  imageUser: true,
  addresses: "any",
};

function executor(options: ExecutorOptions = {}) {
  return createExecutor({ client: at.client, ioDir: at.ioDir, policy: OPEN, ...options });
}

function outputOf(events: readonly StepEvent[], stream: "stdout" | "stderr"): Buffer {
  return Buffer.concat(
    events.flatMap((event) => (event.type === "output" && event.stream === stream ? [event.data] : [])),
  );
}

/** Runs a step until its time-out, which begins to count when the step has made the file /gate/on. */
async function runPastTimeout(ioMode: "file" | "fifo", step: StepInput) {
  const shared = await mkdtemp(join(tmpdir(), "test-gate-"));
  try {
    await chmod(shared, 0o777);
    const made = `until [ -e '${shared}/on' ]; do sleep 0.02; done`;
    await runc.before("start", `real "$@" || exit; ${made}; exit 0`);
    await using runner = executor({ ioMode });
    return await runner.run({ ...step, volumes: [{ source: shared, target: "/gate" }], timeoutMs: 300 });
  } finally {
    await rm(shared, { recursive: true });
  }
}

describe.each(["file", "fifo"] as const)("a step in %s mode", (ioMode) => {
  test("gives its exit code, its output apart, and its outputs", async () => {
    await using runner = executor({ ioMode });
    const result = await runner.run({
      name: "greet",
      image: IMAGE,
      run: "echo out; echo err >&2; echo '##wfe[output a=1]'; echo '##wfe[output a=2]'; echo '##wfe[output bad'; exit 3",
    });
    expect(result).toMatchObject({
      name: "greet",
      exitCode: 3,
      cause: "exit",
      stderr: "err\n",
      truncated: false,
    });
    expect(result.stdout).toBe("out\n##wfe[output a=1]\n##wfe[output a=2]\n##wfe[output bad\n");
    expect({ ...result.outputs }).toEqual({ a: "2" });
    expect(toWorkflowData(result)).toEqual({ "greet.exit_code": 3, "greet.outputs.a": "2" });
    expect(toWorkflowData(result, { logs: true })).toMatchObject({
      "greet.exit_code": 3,
      "greet.stderr": "err\n",
      "greet.outputs.a": "2",
    });
  });

  test("gives its result before its task is deleted", async () => {
    const told = createDeferred<void>();
    const client = createClient({
      address: at.daemon.address,
      namespace: at.client.namespace,
      interceptors: [
        (next) => async (request) => {
          if (request.service.typeName.endsWith(".Tasks") && request.method.name === "Delete")
            await told.promise;
          return next(request);
        },
      ],
    });
    await using runner = executor({ client, ioMode });
    const handle = runner.start({ name: "early", image: IMAGE, run: "seq 20000; exit 3" });
    const result = await handle.result;
    told.resolve();
    expect(result).toMatchObject({ exitCode: 3, log: { gaps: [] } });
    expect(result.stdout.endsWith("\n20000\n")).toBe(true);
    expect(await handle.closed).toEqual({ unreleased: [] });
    await client.close();
  });

  test("streams output while the step runs", async () => {
    await using runner = executor({ ioMode });
    // The step waits for a file. The test makes it only after it has seen the step's output.
    const shared = await mkdtemp(`${at.ioDir}-gate-`);
    await chmod(shared, 0o755);
    const handle = runner.start({
      name: "live",
      image: IMAGE,
      run: "echo ready; while [ ! -e /gate/go ]; do sleep 0.02; done; echo done",
      volumes: [{ source: shared, target: "/gate", readonly: true }],
      timeoutMs: 600_000,
    });
    let text = "";
    for await (const event of handle) {
      if (event.type !== "output") continue;
      text += Buffer.from(event.data).toString();
      if (text === "ready\n") await writeFile(`${shared}/go`, "");
    }
    expect(text).toBe("ready\ndone\n");
    expect((await handle.result).cause).toBe("exit");
    await handle.closed;
    await rm(shared, { recursive: true });
  });

  test("hands on NULs, broken UTF-8 and a last line without an end, to the byte", async () => {
    await using runner = executor({ ioMode });
    const events: StepEvent[] = [];
    await runner.run(
      { name: "bytes", image: IMAGE, run: "printf 'a\\000b\\377\\303'; printf 'no newline' >&2" },
      { onEvent: (event) => void events.push(event) },
    );
    expect(outputOf(events, "stdout")).toEqual(Buffer.from([0x61, 0, 0x62, 0xff, 0xc3]));
    expect(outputOf(events, "stderr").toString()).toBe("no newline");
  });

  test("loses nothing of 200 MB, and holds only the beginning of it", async () => {
    await using runner = executor({ ioMode, captureBytes: 1000 });
    let bytes = 0;
    const result = await runner.run(
      { name: "flood", image: IMAGE, run: "head -c 200000000 /dev/zero" },
      {
        onEvent: (event) => {
          if (event.type === "output") bytes += event.data.byteLength;
        },
      },
    );
    expect(bytes).toBe(200_000_000);
    expect(result.truncated).toBe(true);
    expect(result.stdout).toHaveLength(1000);
  });

  test("ends a step that ignores SIGTERM with all of its processes, past its time-out (fault case 20)", async () => {
    const before = await at.inventory();
    const result = await runPastTimeout(ioMode, {
      name: "stubborn",
      image: IMAGE,
      // Process 1 ignores SIGTERM if it has no handler for it, from the first moment on.
      run: "(trap '' TERM; exec sleep 600) & echo on; : > /gate/on; exec sleep 600",
      stopGraceMs: 200,
    });
    const { exitCode, cause, stdout } = result;
    expect({ exitCode, cause, stdout }).toEqual({ exitCode: 137, cause: "timeout", stdout: "on\n" });
    await at.expectNothingLeft(before);
  });

  test("lets a step end in order within the grace period", async () => {
    const result = await runPastTimeout(ioMode, {
      name: "orderly",
      image: IMAGE,
      run: "trap 'echo bye; exit 5' TERM; echo on; : > /gate/on; while :; do sleep 0.05; done",
      stopGraceMs: 60_000,
    });
    const { exitCode, cause, stdout } = result;
    expect({ exitCode, cause, stdout }).toEqual({ exitCode: 5, cause: "timeout", stdout: "on\nbye\n" });
  });
});

test("every exit code is told as it is, and those of signals as such (fault case 24)", async () => {
  await using runner = executor();
  // The codes that could differ: of shells, of signals, and the last ones. WFE_EXIT_CODES=all tests each.
  const isAll = process.env["WFE_EXIT_CODES"] === "all";
  const codes = Array.from({ length: 256 }, (_, code) => code).filter(
    (code) => isAll || code < 3 || (code > 124 && code < 145) || code > 252,
  );
  const seen = new Map<number, string>();
  let next = 0;
  // As many at once as the machine can bear.
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (let code = codes[next++]; code !== undefined; code = codes[next++]) {
        const result = await runner.run({ name: `exit-${code}`, image: IMAGE, run: `exit ${code}` });
        seen.set(code, `${result.cause} ${result.exitCode}`);
      }
    }),
  );
  // There are 64 signals.
  const causeOf = (code: number): string => (code > 128 && code <= 192 ? "signal" : "exit");
  expect(seen).toEqual(new Map(codes.map((code) => [code, `${causeOf(code)} ${code}`])));
});

describe("an abort", () => {
  test("before the start is an error", async () => {
    await using runner = executor();
    await expect(
      runner.run({ name: "never", image: IMAGE, run: "true" }, { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ kind: "aborted" });
  });

  test("at any moment leaves the truth, and nothing else", async () => {
    await using runner = executor({ ioMode: "file" });
    const moments = Array.from({ length: 200 }, (_, index) => (index * 7919) % 160);
    let next = 0;
    const outcomes = { aborted: 0, refused: 0, exit: 0 };
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        for (let moment = moments[next++]; moment !== undefined; moment = moments[next++]) {
          const signal = AbortSignal.timeout(moment);
          try {
            const result = await runner.run(
              { name: "aborted", image: IMAGE, run: "echo begun; exec sleep 0.05", stopGraceMs: 10 },
              { signal },
            );
            if (result.cause === "exit") {
              expect(result).toMatchObject({ exitCode: 0, stdout: "begun\n" });
              outcomes.exit++;
            } else {
              expect(result.cause).toBe("aborted");
              // 2: the signal met the runtime's own init, a Go program, just before it became the step.
              expect([0, 2, 137, 143]).toContain(result.exitCode);
              outcomes.aborted++;
            }
          } catch (reason) {
            expect(reason).toMatchObject({ kind: "aborted" });
            outcomes.refused++;
          }
        }
      }),
    );
    expect(outcomes.aborted + outcomes.refused + outcomes.exit).toBe(200);
    expect(outcomes.refused).toBeGreaterThan(0);
  });
});

describe("what a step gets", () => {
  test("is nobody's identity, no network but loopback, and no way to become more", async () => {
    await using runner = executor();
    const { stdout } = await runner.run({
      name: "inside",
      image: IMAGE,
      run: "id -u; id -g; ip -o link | cut -d: -f2; grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status; pwd",
    });
    expect(stdout.split("\n").map((line) => line.trim())).toEqual([
      "65534",
      "65534",
      "lo",
      "CapEff:\t0000000000000000",
      "NoNewPrivs:\t1",
      "Seccomp:\t2",
      "/",
      "",
    ]);
  });

  test("is docker's fourteen capabilities as root", async () => {
    await using runner = executor();
    const { stdout } = await runner.run({
      name: "root",
      image: IMAGE,
      user: "0",
      run: "grep CapEff /proc/self/status",
    });
    expect(stdout).toBe("CapEff:\t00000000a80425fb\n");
  });

  test("is the image's environment and the workflow's data, and its own above them", async () => {
    await using runner = executor();
    const { stdout } = await runner.run(
      {
        name: "env",
        image: IMAGE,
        env: { RELEASE: "own" },
        run: "echo $FROM_IMAGE $BUILD_ID $RELEASE $PATH",
      },
      { data: { "build.id": 7, release: "data" } },
    );
    expect(stdout).toBe("yes 7 own /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n");
  });

  test("is a user by name, from the image's own files", async () => {
    await using runner = executor();
    const { stdout } = await runner.run({
      name: "named",
      image: IMAGE,
      user: "builder",
      run: "id -u; id -G",
    });
    expect(stdout).toBe("1000\n1000 44\n");
    await expect(runner.run({ name: "unknown", image: IMAGE, user: "who", run: "id" })).rejects.toMatchObject(
      { kind: "refused" },
    );
  });

  test("is its limit of memory, which ends it with the cause said (fault case 8)", async () => {
    await using runner = executor();
    const inside = await runner.run({
      name: "limit",
      image: IMAGE,
      memory: "64m",
      cpu: 0.5,
      run: "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max",
    });
    expect(inside.stdout).toMatch(/^67108864\n50000/);
    const killed = await runner.run({
      name: "oom",
      image: IMAGE,
      memory: "16m",
      command: ["sh", "-c", "exec tail /dev/zero"],
    });
    expect(killed).toMatchObject({ exitCode: 137, cause: "oom" });
    expect(killed.oomKills).toBeGreaterThan(0);
  });

  test("is the image's own program when it names none", async () => {
    await using runner = executor();
    expect(await runner.run({ name: "own", image: IMAGE })).toMatchObject({ exitCode: 0, stdout: "" });
  });

  test("is the host's network when it is asked for", async () => {
    await using runner = executor();
    const { stdout } = await runner.run({
      name: "net",
      image: IMAGE,
      network: "host",
      run: "readlink /proc/self/ns/net",
    });
    expect(stdout.trim()).toBe(await readlink("/proc/self/ns/net"));
  });
});

describe("what cannot be run is an error (fault case 24)", () => {
  test.each([
    ["command-not-found", { command: ["no-such-program"] }],
    ["command-not-found", { command: ["/no/such/program"] }],
    ["command-not-executable", { command: ["/etc/passwd"] }],
    ["image-not-found", { image: "no/such:image", pull: "never" as const }],
    ["invalid-step", { volumes: [{ source: "/x", target: "../y" }] }],
    ["refused", { volumes: [{ source: "/no/such/directory", target: "/y" }] }],
  ])("%s: %j", async (kind, change) => {
    await using runner = executor();
    await expect(runner.run({ name: "bad", image: IMAGE, ...change })).rejects.toMatchObject({
      name: "ExecutorError",
      kind,
    });
  });

  test("of a daemon that is not there", async () => {
    await using runner = executor();
    await expect(
      runner.run({ name: "away", image: IMAGE, containerdAddr: "/no/such/socket" }),
    ).rejects.toMatchObject({ kind: "daemon-unavailable" });
  });
});

test("a step tells when it runs, whether it went well, and what it used", async () => {
  await using runner = executor();
  const handle = runner.start({ name: "measured", image: IMAGE, run: "head -c 20000000 /dev/zero | md5sum" });
  expect(await handle.started).toBeUndefined();
  const { ok, usage } = await handle.result;
  expect(ok).toBe(true);
  expect(usage.cpuTimeMs).toBeGreaterThan(1);
  // With cgroup v2, older kernels and versions of containerd do not tell it.
  if (usage.peakMemoryBytes !== null) expect(usage.peakMemoryBytes).toBeGreaterThan(4096);
  expect(await runner.run({ name: "fails", image: IMAGE, run: "exit 3" })).toMatchObject({
    ok: false,
    exitCode: 3,
  });
  const missing = runner.start({ name: "missing", image: IMAGE, command: ["no-such-program"] });
  await expect(missing.started).rejects.toMatchObject({ kind: "command-not-found" });
});

describe("events", () => {
  test("of a step that nobody follows do not hold it up", async () => {
    await using runner = executor();
    const handle = runner.start({ name: "unheard", image: IMAGE, run: "head -c 3000000 /dev/zero" });
    expect((await handle.result).exitCode).toBe(0);
    await handle.closed;
    const events: StepEvent[] = [];
    for await (const event of handle) events.push(event);
    const [gap] = events;
    expect(gap?.type).toBe("gap");
    const missing = gap?.type === "gap" ? gap.bytes : 0;
    expect(missing + outputOf(events, "stdout").byteLength).toBe(3_000_000);
  });

  test("come in the order of the step's phases", async () => {
    await using runner = executor();
    const phases: string[] = [];
    await runner.run(
      { name: "phases", image: IMAGE, run: "true" },
      { onEvent: (event) => void (event.type === "phase" && phases.push(event.phase)) },
    );
    expect(phases).toEqual(["resolving", "preparing", "starting", "running", "settling", "releasing"]);
  });

  test("of each attempt are logged, and why the next one follows, but not what the step runs", async () => {
    await using runner = executor();
    const lines: string[] = [];
    const line = (level: string) => (message: string) => void lines.push(`${level}: ${message}`);
    const stop = logTo({ debug: () => undefined, info: line("info"), warn: line("warn") });
    const retry = { attempts: 2, delay: "10ms" };
    const command = ["secret-canary-program"];
    await runner.run({ name: "two", image: IMAGE, run: "exit 3", retry });
    await expect(runner.run({ name: "one", image: IMAGE, command, retry })).rejects.toThrow();
    stop();
    const step = 'step wfe-\\w+ "two"';
    const end = "image docker\\.io/library/busybox:latest, cause exit, exit code 3, ran .+, .+ m?s";
    const expected = [
      `^info: ${step}, image docker\\.io/library/busybox:latest, begins$`,
      `^info: ${step}, ${end}$`,
      "^warn: step two: attempt 2 in 10\\.0 ms, because exit$",
      `^info: ${step}, attempt 2, image docker\\.io/library/busybox:latest, begins$`,
      `^info: ${step}, attempt 2, ${end}$`,
      '^info: step wfe-\\w+ "one", .+, begins$',
      '^warn: step wfe-\\w+ "one", .+, failed after .+: command-not-found$',
    ];
    expect(lines).toEqual(expected.map((pattern) => expect.stringMatching(pattern)));
  });

  test("are observed for the whole process: each step and phase, with its end", async () => {
    await using runner = executor();
    const seen: unknown[] = [];
    const see = ({ durationMs, runMs, ...rest }: { durationMs?: unknown; runMs?: unknown }) =>
      void seen.push({ ...rest, isOver: durationMs !== undefined, hasRun: runMs !== undefined });
    const stop = observe({ step: { start: see, end: see }, phase: { start: see, end: see } });
    const three = await runner.run({ name: "three", image: IMAGE, run: "exit 3" });
    const ran = seen.splice(0);
    await expect(runner.run({ name: "four", image: "no-such-image:1", pull: "never" })).rejects.toThrow();
    const failed = seen.splice(0);
    await expect(runner.run({ name: "five", image: "user:secret@host/app", timeout: "x" })).rejects.toThrow();
    const invalid = seen.splice(0);
    stop();

    const id = expect.stringMatching(/^wfe-\w{20}$/);
    const image = "docker.io/library/busybox:latest";
    const step = {
      id,
      attempt: 1,
      name: "three",
      image,
      cause: undefined,
      exitCode: undefined,
      errorKind: undefined,
    };
    const phases = (...names: string[]) =>
      names.flatMap((phase) =>
        [false, true].map((isOver) => ({ id, phase, isOver, hasRun: false, errorKind: undefined })),
      );
    expect(three.exitCode).toBe(3);
    expect(ran).toEqual([
      { ...step, isOver: false, hasRun: false },
      ...phases("resolving", "preparing", "starting", "running", "settling", "releasing"),
      { ...step, isOver: true, hasRun: true, cause: "exit", exitCode: 3 },
    ]);
    const four = { ...step, name: "four", image: "docker.io/library/no-such-image:1", hasRun: false };
    const [begun, over] = phases("resolving");
    expect(failed).toEqual([
      { ...four, isOver: false },
      begun,
      { ...over, errorKind: "image-not-found" },
      ...phases("releasing"),
      { ...four, isOver: true, errorKind: "image-not-found" },
    ]);
    const five = { ...step, name: "five", image: undefined, hasRun: false };
    expect(invalid).toEqual([
      { ...five, isOver: false },
      { ...five, isOver: true, errorKind: "invalid-step" },
    ]);
  });
});

describe("in OpenTelemetry", () => {
  afterEach(() => context.disable());

  /** Runs the steps with spans and metrics. */
  async function instrumented(run: (runner: Executor) => Promise<unknown>) {
    const spans = new InMemorySpanExporter();
    const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter });
    const meterProvider = new MeterProvider({ readers: [reader] });
    const stop = instrument({ tracerProvider, meterProvider });
    try {
      await using runner = executor({ reapIntervalMs: false });
      await run(runner);
    } finally {
      stop();
    }
    await reader.forceFlush();
    const metrics = exporter
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((s) => s.metrics));
    await meterProvider.shutdown();
    return { tracerProvider, spans: spans.getFinishedSpans(), metrics };
  }

  /** The names of a span and of those that it is in, the outermost first. */
  function pathOf(span: ReadableSpan, spans: readonly ReadableSpan[]): string {
    const parent = spans.find((each) => each.spanContext().spanId === span.parentSpanContext?.spanId);
    const name = span.name.split(".").at(-1) as string;
    return parent === undefined ? name : `${pathOf(parent, spans)} > ${name}`;
  }

  test.each([["without"], ["with"]])(
    "each step is a span, with its phases in it and their RPCs in these, %s a context manager",
    async (mode) => {
      if (mode === "with") context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
      const { spans } = await instrumented((runner) =>
        Promise.all(["a", "b"].map((name) => runner.run({ name, image: IMAGE, run: "true", pull: "never" }))),
      );
      const paths = spans.map((span) => pathOf(span, spans));
      for (const name of ["a", "b"]) {
        for (const phase of ["resolving", "preparing", "starting", "running", "settling", "releasing"])
          expect(paths.filter((path) => path === `step ${name} > ${phase}`)).toHaveLength(1);
        for (const [phase, rpc] of [
          ["resolving", "Leases/Create"],
          ["preparing", "Containers/Create"],
          ["starting", "Tasks/Create"],
          ["starting", "Tasks/Start"],
          ["releasing", "Leases/Delete"],
        ])
          expect(paths).toContain(`step ${name} > ${phase} > ${rpc}`);
        // The result does not wait for the deletion, if all output has arrived before.
        expect(
          paths.filter((path) => /^step . > (?:settling|releasing) > Tasks\/Delete$/.test(path)),
        ).toHaveLength(2);
      }
      const create = spans.find((span) => span.name.endsWith("Tasks/Create"));
      expect(create?.attributes).toMatchObject({
        "rpc.system": "grpc",
        "rpc.service": "containerd.services.tasks.v1.Tasks",
        "rpc.method": "Create",
        "rpc.grpc.status_code": 0,
        "network.transport": "unix",
        "server.address": at.daemon.socketPath,
      });
      // Two steps, and what asks for facts of the machine before the first phase.
      const roots = spans.filter(({ parentSpanContext }) => parentSpanContext === undefined);
      expect(roots.map(({ name }) => name).sort()).toEqual(["step a", "step b"]);
    },
  );

  test("a further process is in the span of its step, wherever it is started, with its phases and RPCs", async () => {
    const { spans, metrics } = await instrumented(async (runner) => {
      await using step = runner.start({
        name: "host",
        image: IMAGE,
        command: ["/bin/sleep", "1000"],
        stopSignal: "KILL",
        pull: "never",
      });
      await step.started;
      await step.exec({ name: "three", run: "exit 3" }).closed;
    });
    const paths = spans.map((span) => pathOf(span, spans));
    for (const phase of ["resolving", "preparing", "starting", "running", "settling", "releasing"])
      expect(paths.filter((path) => path === `step host > exec three > ${phase}`)).toHaveLength(1);
    expect(paths).toContain("step host > exec three > preparing > Tasks/Exec");
    expect(paths).toContain("step host > exec three > starting > Tasks/Start");
    const three = spans.find(({ name }) => name === "exec three");
    expect(three?.status).toEqual({ code: 2, message: "exit" });
    expect(three?.attributes).toMatchObject({
      "container.id": expect.stringMatching(/^wfe-/),
      "process.exit.code": 3,
      "wfe_containerd.exec.id": expect.stringMatching(/^exec-/),
    });
    const duration = metrics.find(({ descriptor }) => descriptor.name === "wfe_containerd.exec.duration");
    expect(duration?.dataPoints).toMatchObject([
      { attributes: { "error.type": "exit" }, value: { count: 1 } },
    ]);
  });

  test("a step is in the span of the program that started it, and fails with it", async () => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    const outer = new BasicTracerProvider().getTracer("program").startSpan("job");
    const { spans, metrics } = await instrumented(async (runner) => {
      await context.with(trace.setSpan(context.active(), outer), () =>
        runner.run({ name: "three", image: IMAGE, run: "exit 3", pull: "never" }),
      );
      await expect(runner.run({ name: "none", image: "no-such:1", pull: "never" })).rejects.toThrow();
    });
    const [three, none] = ["step three", "step none"].map((name) => spans.find((span) => span.name === name));
    expect(three?.parentSpanContext?.spanId).toBe(outer.spanContext().spanId);
    expect(three?.status).toEqual({ code: 2, message: "exit" });
    expect(three?.attributes).toMatchObject({
      "container.image.name": "docker.io/library/busybox:latest",
      "process.exit.code": 3,
      "wfe_containerd.step.cause": "exit",
    });
    expect(none?.parentSpanContext).toBeUndefined();
    expect(none?.status).toEqual({ code: 2, message: "image-not-found" });

    const valuesOf = (name: string) =>
      metrics
        .filter(({ descriptor }) => descriptor.name === name)
        .flatMap(({ dataPoints }) => dataPoints.map(({ attributes, value }) => [attributes, value]));
    expect(valuesOf("wfe_containerd.steps")).toEqual([
      [{ "wfe_containerd.step.cause": "exit", "error.type": "exit" }, 1],
      [{ "error.type": "image-not-found" }, 1],
    ]);
    expect(valuesOf("wfe_containerd.steps.running")).toEqual([[{}, 0]]);
    expect(valuesOf("rpc.client.duration")).toContainEqual([
      expect.objectContaining({ "rpc.method": "Create", "rpc.system": "grpc" }),
      expect.objectContaining({ count: 1 }),
    ]);
  });
});
