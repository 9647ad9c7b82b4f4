// What an executor does with its steps: the queue, another attempt, the end.
import { getEventListeners } from "node:events";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@wfe-containerd/client";
import {
  createExecutor,
  type Executor,
  type ExecutorOptions,
  observe,
  type StepEvent,
  type StepHandle,
  UNRESTRICTED_POLICY,
} from "@wfe-containerd/executor";
import { describe, expect, test } from "vitest";
import { BUSYBOX, useRefusals } from "./refusals.js";

const { at, issuesOf, withImage } = useRefusals();

/** Ends only when it is stopped. */
const ENDLESS = {
  ...BUSYBOX,
  run: "trap 'exit 3' TERM; echo on; while :; do sleep 0.05; done",
  stopGrace: "1m",
};
const TRUE = { ...BUSYBOX, run: "true" };

function executor(options: Partial<ExecutorOptions> = {}): Executor {
  const { client, ioDir } = at;
  return createExecutor({ client, ioDir, policy: UNRESTRICTED_POLICY, ...options });
}

/** Resolves when an endless step runs and handles its stop signal. */
async function running(handle: StepHandle): Promise<void> {
  for await (const event of handle) if (event.type === "output") return;
}

async function eventsOf(handle: StepHandle): Promise<StepEvent[]> {
  const events: StepEvent[] = [];
  for await (const event of handle) events.push(event);
  return events;
}

/** A client that counts the steps that use the daemon: from their lease to its deletion. */
function countingClient() {
  const steps = { begun: 0, now: 0, most: 0 };
  const client = createClient({
    address: at.daemon.address,
    namespace: at.client.namespace,
    interceptors: [
      (next) => async (request) => {
        const isOfLease = request.service.typeName.endsWith(".Leases");
        if (isOfLease && request.method.name === "Create") {
          steps.begun++;
          steps.most = Math.max(steps.most, ++steps.now);
        }
        const answer = await next(request);
        if (isOfLease && request.method.name === "Delete") steps.now--;
        return answer;
      },
    ],
  });
  return { client, steps };
}

describe("a runtime that the operator has listed", () => {
  /** Runs with a program that calls runc, and writes down what it was called for. */
  async function withRuntime<T>(
    use: (binary: string, calls: () => Promise<string>) => Promise<T>,
  ): Promise<T> {
    const directory = await mkdtemp(join(tmpdir(), "runtime-"));
    const [binary, log] = [join(directory, "traced"), join(directory, "log")];
    await writeFile(binary, `#!/bin/sh\necho "$*" >> '${log}'\nexec runc "$@"\n`, { mode: 0o755 });
    try {
      return await use(binary, () => readFile(log, "utf8"));
    } finally {
      await rm(directory, { recursive: true });
    }
  }

  test("makes the containers of the steps that name it, and of no others", () =>
    withRuntime(async (binary, calls) => {
      await using runner = executor({ runtimes: { traced: { binary } } });
      expect(await runner.run({ ...BUSYBOX, run: "echo ran", runtime: "traced" })).toMatchObject({
        stdout: "ran\n",
      });
      const made = await calls();
      expect(made).toMatch(/ create .*\n[\s\S]* start .*\n[\s\S]* delete /);
      for (const runtime of [undefined, "runc"]) await runner.run({ ...TRUE, runtime });
      expect(await calls()).toBe(made);
      await using session = await runner.open({ ...BUSYBOX, runtime: "traced" });
      expect(await session.run({ run: "echo in it" })).toMatchObject({ stdout: "in it\n" });
      expect(await calls()).toMatch(/ exec .*\n/);
    }));

  test("is the only kind that a step may name", async () => {
    const runtimes = { crun: { binary: "crun" } };
    expect(await issuesOf({ run: "true", runtime: "runsc" }, { runtimes })).toEqual([
      {
        field: "runtime",
        message: '"runsc" is not among the operator\'s runtimes',
        allowed: "runc, crun",
      },
    ]);
    expect(await issuesOf({ run: "true", runtime: "toString" })).toMatchObject([{ field: "runtime" }]);
    await expect(executor().run({ ...TRUE, runtime: "/bin/sh" })).rejects.toMatchObject({
      kind: "invalid-step",
      message: expect.stringContaining("runtime: "),
    });
  });

  test.each([
    [{ binary: "no-such-runtime" }, "the program no-such-runtime cannot be started on the daemon's machine"],
    [{ type: "io.containerd.nosuch.v1" }, "the shim io.containerd.nosuch.v1 is not on the daemon's machine"],
  ])("%j may be missing, which is told", async (missing, message) => {
    const issues = await issuesOf({ run: "true", runtime: "missing" }, { runtimes: { missing } });
    expect(issues).toMatchObject([{ field: "runtime", message }]);
  });

  test("and has a kernel of its own gets no file into its containers from outside", () =>
    withRuntime(async (binary) => {
      await using runner = executor({ runtimes: { sandbox: { binary, sandboxed: true } } });
      const step = { ...BUSYBOX, runtime: "sandbox" };
      await expect(
        runner.run({ ...step, run: "true", secrets: ["key"] }, { secrets: { key: "value" } }),
      ).rejects.toMatchObject({ kind: "refused", issues: [{ field: "secrets" }] });
      await using session = await runner.open(step);
      expect(await session.run({ run: "echo works" })).toMatchObject({ stdout: "works\n" });
      for (const refused of [
        session.files.write(new Uint8Array(1024)),
        session.snapshot("sandbox"),
        session.run({ run: "#!/bin/sh\necho a file" }),
      ])
        await expect(refused).rejects.toMatchObject({
          kind: "refused",
          message: expect.stringContaining("the container has a kernel of its own"),
        });
    }));
});

describe("the queue", () => {
  test("lets a higher priority go first, the others in order, and no more at once than it may", async () => {
    const { client, steps } = countingClient();
    await using _ = client;
    await using runner = executor({ client, maxConcurrent: 2 });
    const [one, two] = [runner.start(ENDLESS), runner.start(ENDLESS)] as const;
    await Promise.all([running(one), running(two)]);
    const begun: string[] = [];
    const places: Record<string, number> = {};
    const start = async (name: string, priority?: number): Promise<number | null> => {
      const handle = runner.start({ ...TRUE, name }, { priority });
      for await (const event of handle) {
        if (event.type === "queued") places[name] = event.position;
        if (event.type === "phase" && event.phase === "resolving") begun.push(name);
      }
      await handle.closed;
      return (await handle.result).exitCode;
    };
    const all = [start("a"), start("b", 0), start("low", -1.5), start("high", 7), start("c")];
    one.stop();
    await one.closed;
    expect(await Promise.all(all)).toEqual([0, 0, 0, 0, 0]);
    two.stop();
    expect(begun).toEqual(["high", "a", "b", "c", "low"]);
    expect(places).toEqual({ a: 1, b: 2, low: 3, high: 1, c: 4 });
    await two.closed;
    expect(steps).toEqual({ begun: 7, now: 0, most: 2 });
  });

  test("lets hundreds of steps go that are stopped, killed or aborted, without a call of the daemon", async () => {
    const { client, steps } = countingClient();
    await using _ = client;
    await using runner = executor({ client, maxConcurrent: 1 });
    const first = runner.start(ENDLESS);
    await running(first);
    const aborted = new AbortController();
    const handles = Array.from({ length: 300 }, () => runner.start(TRUE, { signal: aborted.signal }));
    expect(getEventListeners(aborted.signal, "abort")).toHaveLength(1);
    const [stopped, killed, ...others] = handles;
    stopped?.stop();
    killed?.kill();
    await others[0]?.[Symbol.asyncDispose]();
    aborted.abort(new Error("enough"));
    const refusal = { status: "rejected", reason: { kind: "aborted", attempts: [] } };
    expect(await Promise.allSettled(handles.map(({ result }) => result))).toMatchObject(
      handles.map(() => refusal),
    );
    expect(await Promise.allSettled(handles.map(({ started }) => started))).toMatchObject(
      handles.map(() => refusal),
    );
    for (const { closed } of handles) expect(await closed).toEqual({ unreleased: [] });
    expect(getEventListeners(aborted.signal, "abort")).toEqual([]);
    expect(await eventsOf(handles[299] as StepHandle).catch((reason: Error) => reason.message)).toBe(
      "the step was aborted before its process had started",
    );
    expect(steps.begun).toBe(1);
    const next = runner.start(TRUE);
    first.stop();
    expect(await next.result).toMatchObject({ exitCode: 0 });
  });

  test("counts no time-out, and refuses a mistake at once", async () => {
    await using runner = executor({ maxConcurrent: 1 });
    const first = runner.start(ENDLESS);
    await running(first);
    const next = runner.start({ ...TRUE, timeoutMs: 3_000 });
    await expect(runner.run({ ...TRUE, user: "-1" })).rejects.toMatchObject({ kind: "invalid-step" });
    await expect(runner.run({ ...TRUE, secrets: ["token"] })).rejects.toMatchObject({ kind: "refused" });
    // Only a step that waits longer than its time-out shows that.
    await new Promise((resolve) => setTimeout(resolve, 3_200));
    first.stop();
    expect(await next.result).toMatchObject({ exitCode: 0, cause: "exit" });
  });

  test("is emptied by close()", async () => {
    const { client, steps } = countingClient();
    await using _ = client;
    const runner = executor({ client, maxConcurrent: 1 });
    const first = runner.start(ENDLESS);
    await running(first);
    const queued = [runner.start(TRUE), runner.start(TRUE)];
    const refused = queued.map(({ result }) =>
      expect(result).rejects.toMatchObject({
        kind: "closed",
        message: "the executor was closed, and starts no more steps; create another one",
      }),
    );
    expect(await runner.close()).toEqual({ unreleased: [] });
    await Promise.all(refused);
    expect(await first.result).toMatchObject({ exitCode: 3, cause: "aborted" });
    expect(steps.begun).toBe(1);
  });
});

describe("drain()", () => {
  test("lets what runs, is queued or will be tried again end, and starts nothing else", async () => {
    const runner = executor({ maxConcurrent: 1 });
    const first = runner.start(ENDLESS);
    await running(first);
    const queued = runner.start(TRUE);
    const failing = runner.start({ ...BUSYBOX, run: "exit 7", retry: { attempts: 2, delay: "50ms" } });
    const drained = runner.drain();
    expect(runner.drain()).toBe(drained);
    const closed = { kind: "closed", message: expect.stringContaining("was told to drain") };
    await expect(runner.run(TRUE)).rejects.toMatchObject(closed);
    first.stop();
    expect(await drained).toEqual({ unreleased: [] });
    expect(await first.result).toMatchObject({ exitCode: 3 });
    expect(await queued.result).toMatchObject({ exitCode: 0 });
    expect(await failing.result).toMatchObject({ exitCode: 7, attempts: [{}, {}] });
    expect(await runner.close()).toEqual({ unreleased: [] });
    expect(await runner.drain()).toEqual({ unreleased: [] });
  });

  test("ends when close() stops the rest", async () => {
    const runner = executor();
    const handle = runner.start(ENDLESS);
    await running(handle);
    const drained = runner.drain();
    await runner.close();
    expect(await drained).toEqual({ unreleased: [] });
    expect(await handle.result).toMatchObject({ cause: "aborted" });
  });
});

describe("a step with retry", () => {
  test("has a container for each attempt, until one goes well", async () => {
    await using runner = executor();
    const directory = await mkdtemp(join(tmpdir(), "wfe-attempts-"));
    const observed: unknown[] = [];
    const stopObserving = observe({
      step: { end: ({ id, attempt, exitCode }) => void observed.push({ id, attempt, exitCode }) },
      retry: { start: (message) => void observed.push({ ...message }) },
    });
    try {
      await chmod(directory, 0o777);
      const handle = runner.start({
        ...BUSYBOX,
        volumes: [`${directory}:/v`],
        run: 'echo >>/v/n; n=$(wc -l </v/n); echo "attempt $n"; echo "##wfe[output n=$n]"; [ "$n" -ge 3 ]',
        retry: { attempts: 5, delay: "10ms", backoff: 2 },
      });
      const events = await eventsOf(handle);
      const result = await handle.result;
      expect(result).toMatchObject({ ok: true, exitCode: 0, outputs: { n: "3" } });
      expect(result.stdout).toMatch(/^attempt 3\n/);
      expect(await readFile(join(directory, "n"), "utf8")).toBe("\n\n\n");

      expect(result.attempts).toMatchObject([{ exitCode: 1 }, { exitCode: 1 }, { exitCode: 0 }]);
      for (const { cause, durationMs } of result.attempts) {
        expect(cause).toBe("exit");
        expect(durationMs).toBeGreaterThan(0);
      }
      const ids = result.attempts.map(({ id }) => id);
      expect(new Set(ids).size).toBe(3);
      expect(handle.id).toBe(ids[2]);

      const retry = { type: "retry", attempts: 5 };
      expect(events.filter(({ type }) => type === "retry")).toEqual([
        { ...retry, attempt: 2, delayMs: 10, ended: result.attempts[0] },
        { ...retry, attempt: 3, delayMs: 20, ended: result.attempts[1] },
      ]);
      const phases = events.filter((event) => event.type === "phase");
      expect(phases.filter(({ phase }) => phase === "running")).toEqual(
        ids.map((id, index) => ({ type: "phase", phase: "running", id, attempt: index + 1 })),
      );
      const printed = events.flatMap((event) => (event.type === "output" ? [event.data] : []));
      expect(
        Buffer.concat(printed)
          .toString()
          .match(/attempt \d/g),
      ).toEqual([1, 2, 3].map((n) => `attempt ${n}`));
      await handle.closed;
      const wait = { of: "step", what: "bad", reason: "exit" };
      expect(observed).toMatchObject([
        { id: ids[0], attempt: 1, exitCode: 1 },
        { ...wait, attempt: 2, delayMs: 10 },
        { id: ids[1], attempt: 2, exitCode: 1 },
        { ...wait, attempt: 3, delayMs: 20 },
        { id: ids[2], attempt: 3, exitCode: 0 },
      ]);
      const lines: string[] = [];
      for await (const { text } of handle.log.lines()) lines.push(text);
      expect(lines[0]).toBe("attempt 3");
      await handle[Symbol.asyncDispose]();
    } finally {
      stopObserving();
      await rm(directory, { recursive: true });
    }
  });

  test("fails with its last attempt, after as many as it may have", async () => {
    await using runner = executor();
    const failing = { ...BUSYBOX, run: "exit 7", retry: { attempts: 3, delay: "0ms" } };
    const { exitCode, attempts } = await runner.run(failing);
    expect([exitCode, attempts.length]).toEqual([7, 3]);
    const away = { ...TRUE, containerdAddr: "/no/such/socket", retry: failing.retry };
    await expect(runner.run(away)).rejects.toMatchObject({
      kind: "daemon-unavailable",
      attempts: Array.from({ length: 3 }, () => ({ cause: "daemon-unavailable", exitCode: null })),
    });
  });

  test("is not tried again after a cause that is not listed, or that would come again", async () => {
    await using runner = executor();
    const retry = { attempts: 3, delay: "0ms", on: ["timeout", "oom"] } as const;
    expect((await runner.run({ ...BUSYBOX, run: "exit 7", retry })).attempts).toHaveLength(1);
    const missing = { ...BUSYBOX, command: ["no-such-program"], retry: { attempts: 3 } };
    await expect(runner.run(missing)).rejects.toMatchObject({
      attempts: [{ cause: "command-not-found", message: expect.stringContaining("no-such-program") }],
    });
    const stubborn = { ...ENDLESS, timeoutMs: 1_000, stopGrace: "1s", retry };
    const { cause, attempts } = await runner.run(stubborn);
    expect([cause, attempts.length]).toEqual(["timeout", 3]);
  });

  test("waits without a slot, and keeps its last outcome if it is stopped meanwhile", async () => {
    await using runner = executor({ maxConcurrent: 1 });
    const step = { ...BUSYBOX, run: "exit 7", retry: { attempts: 3, delay: "1h" } };
    const handle = runner.start(step);
    for await (const event of handle) {
      if (event.type !== "retry") continue;
      expect(await runner.run(TRUE)).toMatchObject({ exitCode: 0 });
      handle.stop();
    }
    expect(await handle.result).toMatchObject({ exitCode: 7, cause: "exit", attempts: [{}] });
    expect(await handle.closed).toEqual({ unreleased: [] });
  });

  test("is not tried again after it was stopped", async () => {
    await using runner = executor();
    const handle = runner.start({ ...ENDLESS, retry: { attempts: 3, delay: "0ms" } });
    for await (const event of handle) if (event.type === "output") handle.stop();
    expect(await handle.result).toMatchObject({ exitCode: 3, cause: "aborted", attempts: [{}] });
  });
});

describe("the end of a step", () => {
  test("close() kills what has not ended by then, whatever grace the step has", async () => {
    const runner = executor();
    const step = {
      ...BUSYBOX,
      run: "trap '' TERM; echo on; while :; do sleep 0.05; done",
      stopGrace: "9000d",
    };
    const handle = runner.start(step);
    await running(handle);
    await runner.close({ graceMs: 100 });
    expect(await handle.result).toMatchObject({ exitCode: 137, cause: "aborted", stdout: "on\n" });
  });

  test("a grace beyond what the policy allows is refused", async () => {
    expect(await issuesOf({ stopGrace: "61s" }, { policy: {} })).toEqual([
      expect.objectContaining({ field: "stopGrace", allowed: "by the policy's maximumStopGraceMs" }),
    ]);
  });

  test.each(["SIGNOPE", "", "99"])(
    "an image whose stop signal is %j is stopped by SIGTERM",
    async (signal) => {
      await withImage({ StopSignal: signal }, async (image) => {
        await using runner = executor();
        const handle = runner.start({ ...ENDLESS, image });
        for await (const event of handle) if (event.type === "output") handle.stop();
        expect(await handle.result).toMatchObject({ exitCode: 3, cause: "aborted" });
        await handle.closed;
      });
    },
  );
});
