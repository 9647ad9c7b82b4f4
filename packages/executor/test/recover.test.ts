import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { access, mkdir, mkdtemp, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  createExecutor,
  type Executor,
  type ExecutorError,
  type ExecutorOptions,
  listRecoverable,
  type RecoverOptions,
  removeStep,
  type StepHandle,
  type StepInput,
  type StepResult,
} from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { createRuncStandIn, FAIL } from "@wfe-containerd/test-infra/daemon/runc-stand-in";
import { afterAll, describe, expect, test } from "vitest";
import { type KillAt, type Start, type StepProcess, startStepProcess } from "./step-process.js";

const run = promisify(execFile);
const runc = await createRuncStandIn();
const at = useDaemon({ binDir: runc.binDir });
afterAll(() => runc[Symbol.asyncDispose]());

function options(): Pick<ExecutorOptions, "ioDir" | "policy"> {
  return { ioDir: at.ioDir, policy: { mountSources: [at.daemon.directory] } };
}

function executor(more: ExecutorOptions = {}): Executor {
  return createExecutor({ client: at.client, ...options(), ...more });
}

/** An executor in a process of its own. */
function startProcess(starts: readonly Start[], more: ExecutorOptions = {}, killAt?: KillAt): StepProcess {
  return startStepProcess(at.client, { options: { ...options(), ...more }, starts, killAt });
}

/** A directory that steps share with the test: they note each run in it, and wait for a file in it. */
async function openGate() {
  const directory = join(at.daemon.directory, `gate-${randomUUID()}`);
  await mkdir(directory, { mode: 0o777 });
  return {
    step: (name: string, code: number, fields: Partial<StepInput> = {}): StepInput => ({
      name,
      image: "busybox",
      user: "0:0",
      run: `echo ran >> /gate/${name}.runs; i=0; while [ ! -e /gate/go ]; do echo line $i; i=$((i+1)); sleep 0.05; done; echo last; exit ${code}`,
      volumes: [{ source: directory, target: "/gate" }],
      ...fields,
    }),
    open: () => writeFile(join(directory, "go"), ""),
    runs: async (name: string) =>
      (await readFile(join(directory, `${name}.runs`), "utf8").catch(() => "")).split("\n").length - 1,
  };
}

/** What is in the file that a step's output goes to. */
function stdoutOf(id = ""): Promise<string> {
  return readFile(join(at.ioDir, id, "stdout"), "utf8").catch(() => "");
}

/** All lines, in order, from the first to the last one. */
function expectWholeLog(stdout: string): void {
  const lines = stdout.split("\n");
  expect(lines.slice(-2)).toEqual(["last", ""]);
  expect(lines.slice(0, -2)).toEqual(lines.slice(0, -2).map((_, at) => `line ${at}`));
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const recovered = (runner: Executor, more?: RecoverOptions): Promise<StepHandle[]> =>
  all(runner.recover(more));

/** Resolves when a process is gone. Polled, because its directory in /proc cannot be watched. */
async function gone(pid: number): Promise<void> {
  await expect
    .poll(() =>
      readFile(`/proc/${pid}/stat`, "utf8").then(
        (stat) => / Z /.test(stat),
        () => true,
      ),
    )
    .toBe(true);
}

/** Kills a process and the daemon when runc has made the container, and lets the clean-up fail once. */
async function killWhileCreated(start: Start): Promise<void> {
  const made = join(at.daemon.directory, `made-${randomUUID()}`);
  await runc.before("create", `real "$@"; touch ${made}; while [ -e ${made} ]; do sleep 0.05; done; exit 1`);
  await runc.before("delete", FAIL);
  const dead = startProcess([start]);
  await expect
    .poll(() =>
      access(made).then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
  at.daemon.kill("SIGKILL");
  await Promise.all([at.daemon.exited, dead.kill()]);
  await at.daemon.restart();
}

test("eight steps of a process that was killed give eight true results and whole logs, and none runs twice (fault case 4)", async () => {
  const before = await at.inventory();
  const [early, late] = [await openGate(), await openGate()];
  const codes = [0, 1, 2, 3, 4, 5, 6, 7];
  const gateOf = (code: number) => (code % 2 === 0 ? early : late);
  const starts = codes.map((code) => ({ step: gateOf(code).step(`step-${code}`, code) }));
  const dead = startProcess(starts);
  await dead.until("started", 8);
  await dead.kill();
  // These end while nobody watches them.
  const pids = await Promise.all((await at.client.tasks.list()).map(async ({ id, pid }) => ({ id, pid })));
  await early.open();
  const evens = await Promise.all(
    pids.map(async ({ id, pid }) => {
      const { labels } = await at.client.containers.get(id);
      return Number(labels["wfe-containerd/step"]?.slice(-1)) % 2 === 0 ? pid : undefined;
    }),
  );
  await Promise.all(evens.filter((pid) => pid !== undefined).map(gone));

  await using runner = executor();
  const handles = await recovered(runner);
  expect(handles.map(({ id }) => id).sort()).toEqual(dead.said.map(({ id }) => id).sort());
  expect(await recovered(runner)).toEqual([]);
  await late.open();
  const results = await Promise.all(handles.map(({ result }) => result));
  for (const { name, exitCode, cause, stdout, log, durationMs } of results) {
    expect({ name, exitCode, cause }).toEqual({ name, exitCode: Number(name.slice(-1)), cause: "exit" });
    expectWholeLog(stdout);
    expect(log.gaps).toEqual([]);
    expect(durationMs).toBeGreaterThan(0);
    expect(await gateOf(Number(name.slice(-1))).runs(name)).toBe(1);
  }
  for (const handle of handles) {
    const lines = (await all(handle.log.lines())).map(({ text }) => text);
    expectWholeLog(`${lines.join("\n")}\n`);
    expect(await handle.closed).toEqual({ unreleased: [] });
    await handle[Symbol.asyncDispose]();
  }
  await at.expectNothingLeft(before);
});

test("a step of a process that dies at any moment has its true result, or says that nothing of it ran (fault case 5, F15)", async () => {
  const before = await at.inventory();
  const moments: [name: string, killAt: KillAt, wasStarted: boolean][] = [
    ["prepared", { when: "before", call: "Tasks.Create" }, false],
    ["created", { when: "before", call: "Tasks.Start" }, false],
    ["unstartable", { when: "before", call: "Tasks.Delete" }, false],
    ["started", { when: "after", call: "Tasks.Start" }, true],
    ["ended", { when: "before", call: "Containers.Update", count: 2 }, true],
    ["told", { when: "after", call: "Containers.Update", count: 2 }, true],
    ["deleted", { when: "after", call: "Tasks.Delete" }, true],
  ];
  const gate = await openGate();
  await Promise.all(
    moments.map(([name, killAt]) => {
      const run = `echo ran >> /gate/${name}.runs; echo out; echo err >&2; exit 7`;
      // The runtime finds out only at the start that this is no program.
      const program = name === "unstartable" ? { run: undefined, command: ["/etc/passwd"] } : { run };
      return startProcess([{ step: gate.step(name, 7, program) }], {}, killAt).ended;
    }),
  );
  await using runner = executor();
  const handles = await recovered(runner);
  const outcomes = await Promise.all(
    handles.map(({ result }) =>
      result.then(
        ({ name, exitCode, cause, stdout, stderr }) => ({ name, exitCode, cause, stdout, stderr }),
        ({ kind, message }: ExecutorError) => ({ kind, message }),
      ),
    ),
  );
  const ended = moments.filter(([, , wasStarted]) => wasStarted).map(([name]) => name);
  expect(outcomes.filter((outcome) => "name" in outcome)).toEqual(
    expect.arrayContaining(
      ended.map((name) => ({ name, exitCode: 7, cause: "exit", stdout: "out\n", stderr: "err\n" })),
    ),
  );
  expect(outcomes).toHaveLength(moments.length);
  for (const outcome of outcomes.filter((each) => !("name" in each)))
    expect(outcome).toMatchObject({ kind: "runtime", message: expect.stringContaining("was not started") });
  for (const [name, , wasStarted] of moments)
    expect({ name, runs: await gate.runs(name) }).toEqual({ name, runs: wasStarted ? 1 : 0 });
  await runner.close();
  await at.expectNothingLeft(before);
});

test("a recovered step takes further processes until it ends, and masks its secrets in their output", async () => {
  const before = await at.inventory();
  const gate = await openGate();
  const secrets = { token: "known-to-the-step" };
  const step = gate.step("entered", 3, { secrets: ["token"] });
  const dead = startProcess([{ step, startOptions: { secrets } }]);
  await dead.until("started", 1);
  await dead.kill();
  await using runner = executor();
  const [handle] = (await recovered(runner, { secrets })) as [StepHandle];
  await handle.started;
  const shown = handle.exec({ command: ["cat", "/run/secrets/token", "/gate/entered.runs"] });
  expect(await shown.result).toMatchObject({ exitCode: 0, stdout: "***ran\n" });
  await expect(handle.resize({ columns: 80, rows: 24 })).rejects.toMatchObject({
    kind: "refused",
    message: expect.stringContaining("the process has no terminal"),
  });
  const long = handle.exec({ command: ["sleep", "1000"] });
  await long.started;
  await gate.open();
  expect(await handle.result).toMatchObject({ exitCode: 3, cause: "exit", log: { complete: true } });
  expect(await long.result).toMatchObject({ cause: "container-ended" });
  await expect(handle.exec({ command: ["true"] }).result).rejects.toMatchObject({
    kind: "refused",
    message: expect.stringContaining("the step has ended"),
  });
  await runner.close();
  await at.expectNothingLeft(before);
});

test("a session of a process that was killed is not recovered, but found, entered and reaped, or stopped", async () => {
  const before = await at.inventory();
  const gate = await openGate();
  const session = { step: { name: "session", image: "busybox" }, isSession: true };
  const dead = startProcess([session, { step: gate.step("step", 3) }]);
  await dead.until("started", 2);
  await dead.kill();
  await gate.open();
  await using runner = executor({ reapIntervalMs: false });
  const results: StepResult[] = [];
  for await (const handle of runner.recover()) results.push(await handle.result);
  expect(results).toMatchObject([{ name: "step", exitCode: 3 }]);
  const [found] = await runner.sessions();
  expect(found).toMatchObject({ name: "session", status: "running", executor: "gone" });
  const connected = await runner.connect("session");
  expect(await connected.run({ run: "echo entered" })).toMatchObject({ exitCode: 0, stdout: "entered\n" });
  await connected.disconnect();
  expect((await runner.reap()).removed).toContainEqual(
    expect.objectContaining({ kind: "container", stepId: found?.id }),
  );
  expect(await runner.sessions()).toEqual([]);

  const other = startProcess([session]);
  await other.until("started", 1);
  await other.kill();
  const [stopped] = (await recovered(runner, { policy: "stop" })) as [StepHandle];
  expect(await stopped.result).toMatchObject({ name: "session", cause: "aborted" });
  await runner.close();
  await at.expectNothingLeft(before);
});

test("only the steps that are asked for are taken over; what could be is listed, and what nobody owns is not", async () => {
  const before = await at.inventory();
  const gate = await openGate();
  const names = ["first", "second", "third"];
  const dead = startProcess([
    { step: { name: "session", image: "busybox" }, isSession: true },
    ...names.map((name) => ({ step: gate.step(name, 3) })),
  ]);
  await dead.until("started", 4);
  expect(await listRecoverable(at.client)).toEqual([]);
  await using runner = executor({ reapIntervalMs: false });
  const left = await runner.detach(gate.step("left", 0));
  await dead.kill();
  const listed = await listRecoverable(at.client);
  expect(listed.map(({ name }) => name).toSorted()).toEqual(names);
  for (const { executor: owner, status } of listed)
    expect({ owner, status }).toEqual({ owner: "gone", status: "running" });
  const withSessions = await listRecoverable(at.client, { policy: "stop" });
  expect(withSessions.map(({ name }) => name).toSorted()).toEqual([...names, "session"].toSorted());

  const { id = "" } = listed.find(({ name }) => name === "second") ?? {};
  const handles = await recovered(runner, { steps: [id, left, "wfe-0123456789abcdef0123"] });
  expect(handles.map((handle) => handle.id)).toEqual([id]);
  expect((await listRecoverable(at.client)).map(({ name }) => name)).not.toContain("second");
  await gate.open();
  for (const handle of [...handles, ...(await recovered(runner))])
    expect(await handle.result).toMatchObject({ exitCode: 3 });
  await removeStep(at.client, left);
  for (const handle of await recovered(runner, { policy: "stop" })) await handle.closed;
  await runner.close();
  await at.expectNothingLeft(before);
});

test("a recovered step can be left again", async () => {
  const before = await at.inventory();
  const gate = await openGate();
  const dead = startProcess([{ step: gate.step("left", 4) }]);
  await dead.until("started", 1);
  await dead.kill();
  const runner = executor();
  const [handle] = (await recovered(runner)) as [StepHandle];
  await handle.leave("remove");
  await expect(handle.result).rejects.toMatchObject({ kind: "aborted" });
  await runner.close();
  await using other = executor();
  expect(await recovered(other)).toEqual([]);
  const attached = await other.attach(handle.id);
  await gate.open();
  const result = await attached.result;
  expect(result).toMatchObject({ exitCode: 4, cause: "exit" });
  expectWholeLog(result.stdout);
  await attached[Symbol.asyncDispose]();
  expect((await other.reap()).failed).toEqual([]);
  await other.close();
  await at.expectNothingLeft(before);
});

describe("an attempt", () => {
  const startOptions = { runId: "build-7", attempt: 2 };

  test("that several processes start at once runs once, and all of them have its result", async () => {
    const before = await at.inventory();
    const gate = await openGate();
    const start = { step: gate.step("shared", 5), startOptions };
    const processes = [startProcess([start, start]), startProcess([start])];
    await using runner = executor();
    const handle = runner.start(start.step, startOptions);
    await Promise.all([handle.started, processes[0]?.until("started", 2), processes[1]?.until("started", 1)]);
    await gate.open();
    const result = await handle.result;
    await Promise.all(processes.map(({ ended }) => ended));
    const others = processes.flatMap(({ said }) => said.filter(({ type }) => type !== "started"));
    expect(others).toHaveLength(3);
    for (const { exitCode, cause, stdout } of [
      result,
      ...others.map((other) => other.result as StepResult),
    ]) {
      expect({ exitCode, cause }).toEqual({ exitCode: 5, cause: "exit" });
      expectWholeLog(stdout);
    }
    expect(await gate.runs("shared")).toBe(1);
    await handle[Symbol.asyncDispose]();
    await at.expectNothingLeft(before);
  });

  test("of a process that was killed is gone on with, and refused for another step", async () => {
    const before = await at.inventory();
    const gate = await openGate();
    const step = gate.step("killed", 3);
    const dead = startProcess([{ step, startOptions }]);
    await dead.until("started", 1);
    await dead.kill();
    await using runner = executor();
    const other = runner.run({ ...step, env: { A: "1" }, run: "true" }, startOptions);
    await expect(other).rejects.toMatchObject({
      kind: "refused",
      message: expect.stringMatching(
        /^runId: attempt 2 of "killed" in "build-7" .*differ: env, run; allowed/,
      ),
    });
    const handle = runner.start(step, startOptions);
    expect(handle.id).toBe(dead.said[0]?.id);
    await handle.started;
    const added = handle.exec({ command: ["true"] });
    expect(await added.result).toMatchObject({ exitCode: 0 });
    await added[Symbol.asyncDispose]();
    await gate.open();
    const result = await handle.result;
    expect(result).toMatchObject({ exitCode: 3, cause: "exit", log: { complete: true } });
    expectWholeLog(result.stdout);
    expect(await gate.runs("killed")).toBe(1);
    await handle[Symbol.asyncDispose]();
    await at.expectNothingLeft(before);
  });

  test("takes further processes from whoever follows it, and is left by who has taken it over", async () => {
    const before = await at.inventory();
    const step = (await openGate()).step("entered", 0);
    const dead = startProcess([{ step, startOptions }]);
    await dead.until("started", 1);
    await using runner = executor();
    const handle = runner.start(step, { ...startOptions, canLeave: true });
    await handle.started;
    const enter = { command: ["cat", "/gate/entered.runs"] };
    expect(await handle.exec(enter).result).toMatchObject({ exitCode: 0, stdout: "ran\n" });
    const leave = (): Promise<string> =>
      handle.leave().then(
        () => "left",
        ({ message }: ExecutorError) => message,
      );
    expect(await leave()).toMatch(/^leave: another executor runs the step/);
    await dead.kill();
    // It is taken over as soon as the death of its process is seen.
    await expect.poll(leave).toBe("left");
    await expect(handle.result).rejects.toMatchObject({ kind: "aborted" });
    await removeStep(at.client, handle.id);
    await runner.close();
    await at.expectNothingLeft(before);
  });

  test("that was prepared and not started runs when it is started again", async () => {
    const before = await at.inventory();
    const gate = await openGate();
    const start = { step: gate.step("again", 4), startOptions };
    await gate.open();
    for (const call of ["Tasks.Create", "Tasks.Start"])
      await startProcess([start], {}, { when: "before", call }).ended;
    await using runner = executor();
    expect(await runner.run(start.step, startOptions)).toMatchObject({ exitCode: 4, stdout: "last\n" });
    expect(await gate.runs("again")).toBe(1);
    await at.expectNothingLeft(before);
  });

  test.each(["Tasks.Create", "Tasks.Start"])(
    "that was not started may be started again as soon as recover has told so: %s",
    async (call) => {
      const before = await at.inventory();
      const gate = await openGate();
      const start = { step: gate.step("anew", 5), startOptions };
      await gate.open();
      await startProcess([start], {}, { when: "before", call }).ended;
      await using runner = executor();
      for await (const recovered of runner.recover()) {
        await expect(recovered.result).rejects.toMatchObject({
          kind: "runtime",
          message: expect.stringContaining("was not started"),
        });
        // What was prepared is still being removed.
        expect(await runner.run(start.step, startOptions)).toMatchObject({ exitCode: 5 });
      }
      expect(await gate.runs("anew")).toBe(1);
      await at.expectNothingLeft(before);
    },
  );

  test("whose task is being created when its process and the daemon are killed runs when it is started again", async () => {
    const before = await at.inventory();
    const gate = await openGate();
    const start = { step: gate.step("halved", 8), startOptions };
    await gate.open();
    await killWhileCreated(start);
    await using runner = executor();
    expect(await runner.run(start.step, startOptions)).toMatchObject({ exitCode: 8, stdout: "last\n" });
    expect(await gate.runs("halved")).toBe(1);
    await at.expectNothingLeft(before);
  });

  test("whose task is being created when its process and the daemon are killed leaves nothing when it is recovered", async () => {
    const before = await at.inventory();
    await killWhileCreated({ step: { name: "halved", image: "busybox" }, startOptions });
    await using runner = executor();
    const [handle] = await recovered(runner);
    await expect(handle?.result).rejects.toMatchObject({
      message: expect.stringContaining("was not started"),
    });
    expect(await handle?.closed).toEqual({ unreleased: [] });
    expect(await readdir(join("/run/containerd/runc", at.client.namespace))).toEqual([]);
    await at.expectNothingLeft(before);
  });

  test("whose last bundle the daemon could not remove runs, and what is mounted there stays whole", async () => {
    const before = await at.inventory();
    const step = { name: "bundle", image: "busybox", run: "echo out" };
    await using runner = executor();
    const first = runner.start(step, startOptions);
    await first.closed;
    await first[Symbol.asyncDispose]();
    const tasks = join(at.daemon.directory, "state/io.containerd.runtime.v2.task", at.client.namespace);
    const bundle = join(tasks, first.id);
    const mounted = await mkdtemp(join(at.daemon.directory, "mounted-"));
    await writeFile(join(mounted, "file"), "of the image");
    await mkdir(join(bundle, "rootfs"), { recursive: true });
    await writeFile(join(bundle, "config.json"), "{}");
    await run("mount", ["--bind", mounted, join(bundle, "rootfs")]);
    expect(await runner.run(step, startOptions)).toMatchObject({ exitCode: 0, stdout: "out\n" });
    expect(await readFile(join(mounted, "file"), "utf8")).toBe("of the image");
    expect(await readdir(tasks)).toEqual([]);
    await at.expectNothingLeft(before);
  });

  test("whose process dies at any moment, and then the daemon, runs once", async () => {
    const before = await at.inventory();
    const gate = await openGate();
    await gate.open();
    const moments: [name: string, killAt: KillAt, wasStarted: boolean][] = [
      ["leased", { when: "after", call: "Leases.Create" }, false],
      ["recorded", { when: "after", call: "Containers.Create" }, false],
      ["created", { when: "after", call: "Tasks.Create" }, false],
      ["ready", { when: "after", call: "Containers.Update" }, false],
      ["started", { when: "after", call: "Tasks.Start" }, true],
      ["told", { when: "after", call: "Containers.Update", count: 2 }, true],
      ["kept", { when: "after", call: "Leases.Create", count: 2 }, true],
      ["removed", { when: "after", call: "Containers.Delete" }, true],
      ["released", { when: "after", call: "Leases.Delete" }, true],
    ];
    const keep = { ...startOptions, keepResultMs: 3_600_000 };
    const starts = moments.map(([name]) => ({ step: gate.step(name, 7), startOptions: keep }));
    await Promise.all(
      moments.map(([, killAt], of) => startProcess(starts.slice(of, of + 1), {}, killAt).ended),
    );
    at.daemon.kill("SIGKILL");
    await at.daemon.exited;
    await at.daemon.restart();
    await using runner = executor();
    const results = await Promise.all(starts.map(({ step }) => runner.run(step, startOptions)));
    for (const [of, [name, , wasStarted]] of moments.entries()) {
      const { exitCode, cause } = results[of] as StepResult;
      // A daemon from 1.7 on forgets a step that had ended when it died.
      const isForgotten = name === "started" && cause === "unknown";
      expect({ name, exitCode }).toEqual({ name, exitCode: isForgotten ? null : 7 });
      expect({ name, runs: await gate.runs(name) }).toEqual({ name, runs: 1 });
      if (!wasStarted) expect({ name, cause }).toEqual({ name, cause: "exit" });
    }
    expect((await runner.reap()).failed).toEqual([]);
    for (const { id } of await at.client.leases.list())
      if (id.endsWith(".result")) await at.client.leases.delete(id);
    await at.expectNothingLeft(before);
  });

  test("that was released gives the result that was kept of it, until that has expired", async () => {
    const before = await at.inventory();
    const gate = await openGate();
    const step = gate.step("kept", 3, {
      run: "echo ran >> /gate/kept.runs; echo '##wfe[output answer=42]'; echo out; exit 3",
    });
    await using runner = executor();
    const { startedAt, durationMs } = await runner.run(step, { ...startOptions, keepResultMs: 3_600_000 });
    const kept = await runner.run(step, startOptions);
    expect(kept).toMatchObject({
      exitCode: 3,
      cause: "exit",
      outputs: { answer: "42" },
      startedAt,
      durationMs,
      truncated: true,
      log: { complete: false, gaps: [{ stream: "stdout", offset: 0, reason: "not-read" }] },
    });
    await expect(runner.run({ ...step, env: { A: "1" } }, startOptions)).rejects.toMatchObject({
      kind: "refused",
      message: expect.stringContaining("these fields differ: env"),
    });
    expect(await gate.runs("kept")).toBe(1);
    const [attempt] = kept.attempts;
    await at.client.leases.delete(`${attempt?.id}.result`);
    await runner.run(step, { ...startOptions, keepResultMs: 1 });
    await at.client.leases.collectGarbage();
    expect(await gate.runs("kept")).toBe(2);
    await at.expectNothingLeft(before);
  });

  test("goes on when its process is killed while another one follows it, or when that one stops to follow", async () => {
    const before = await at.inventory();
    const gate = await openGate();
    const start = { step: gate.step("followed", 6), startOptions };
    const owner = startProcess([start]);
    await owner.until("started", 1);
    await using runner = executor();
    const left = runner.start(start.step, startOptions);
    await left.started;
    left.stop();
    await expect(left.result).rejects.toMatchObject({
      kind: "aborted",
      message: expect.stringContaining("it goes on in process"),
    });
    const handle = runner.start(start.step, startOptions);
    await handle.started;
    await owner.kill();
    await gate.open();
    const result = await handle.result;
    expect(result).toMatchObject({ exitCode: 6, cause: "exit" });
    expectWholeLog(result.stdout);
    expect(await gate.runs("followed")).toBe(1);
    await Promise.all([left, handle].map((each) => each[Symbol.asyncDispose]()));
    await at.expectNothingLeft(before);
  });

  test.each([
    [{ key: "a" }, "key: is given without a run"],
    [{ keepResultMs: 1 }, "keepResultMs: is given without a run"],
    [{ runId: "a", keepResultMs: Number.POSITIVE_INFINITY }, "keepResultMs: Infinity is not a time"],
    [{ runId: "" }, 'runId: "" cannot name a run'],
    [{ runId: "a\nb" }, "cannot name a run"],
    [{ runId: "a", attempt: 0 }, "attempt: 0 is not a number of an attempt"],
    [{ runId: 7n as never, attempt: 1.5 }, "cannot name a run"],
  ])("that is named by %o is refused in words", async (names, words) => {
    await using runner = executor();
    await expect(runner.run({ name: "named", image: "busybox" }, names)).rejects.toMatchObject({
      kind: "invalid-argument",
      message: expect.stringContaining(words),
    });
  });
});

test("a time-out outlives the process that was to see to it, and so does the beginning of a stop (fault case 4, F14)", async () => {
  const before = await at.inventory();
  const gate = await openGate();
  const limited = (name: string): Start => ({
    step: gate.step(name, 0, { timeoutMs: 1_000, stopGrace: "1s" }),
  });
  await Promise.all([
    startProcess([limited("timed")], {}, { when: "after", call: "Tasks.Start" }).ended,
    startProcess([limited("stopped")], {}, { when: "before", call: "Tasks.Kill" }).ended,
  ]);
  for (const { labels, extensions } of await at.client.containers.list()) {
    expect(labels).toMatchObject({
      "wfe-containerd/step": expect.stringMatching(/^(?:timed|stopped)$/),
      "wfe-containerd/owner": expect.stringContaining(hostname()),
    });
    const record = JSON.parse(Buffer.from(extensions["wfe-containerd.step"]?.value ?? []).toString());
    expect(record).toMatchObject({
      owner: labels["wfe-containerd/owner"],
      deadline: { daemonMs: expect.any(Number) },
    });
  }
  await using runner = executor();
  const handles = await recovered(runner);
  const results = await Promise.all(handles.map(({ result }) => result));
  expect(results.map(({ name, cause }) => `${name}: ${cause}`).sort()).toEqual([
    "stopped: timeout",
    "timed: timeout",
  ]);
  await runner.close();
  await at.expectNothingLeft(before);
});

test("a step with secrets is taken over only by who can mask them, and stopped if that is asked for (fault case 4)", async () => {
  const before = await at.inventory();
  const secrets = { token: "hush-hush" };
  const run = "trap 'echo bye; exit 9' TERM; cat /run/secrets/token; echo; while :; do sleep 0.05; done";
  const step: StepInput = { name: "secret", image: "busybox", run, secrets: ["token"], stopGrace: "1m" };
  const dead = startProcess([{ step, startOptions: { secrets } }]);
  await dead.until("started", 1);
  await expect.poll(() => stdoutOf(dead.said[0]?.id)).toBe("hush-hush\n");
  await dead.kill();
  await using runner = executor();
  const [without] = await recovered(runner);
  await expect(without?.result).rejects.toMatchObject({
    kind: "refused",
    message: expect.stringMatching(/^secrets: .*are missing: token; .*allowed: the same values/),
  });
  await expect(recovered(runner, { policy: "kill" as never })).rejects.toMatchObject({
    kind: "invalid-argument",
    message: 'recover: policy: "kill" is not allowed; allowed: adopt, stop',
  });
  const [handle] = await recovered(runner, { policy: "stop", secrets });
  expect(await handle?.result).toMatchObject({ cause: "aborted", exitCode: 9, stdout: "***\nbye\n" });
  await runner.close();
  await at.expectNothingLeft(before);
});

test("output that is gone is said to be: what was freed because of the limit, and what came through pipes (fault case 4)", async () => {
  const before = await at.inventory();
  const gate = await openGate();
  const flood =
    "i=0; while [ $i -lt 40000 ]; do echo 0123456789012345678901234567890123456789012345; i=$((i+1)); done";
  const wait = "echo waits >&2; while [ ! -e /gate/go ]; do sleep 0.05; done; echo last";
  const limited = gate.step("limited", 0, { run: `${flood}; ${wait}`, maxLogBytes: 1024 * 1024 });
  const dead = [
    startProcess([{ step: limited }]),
    startProcess([{ step: gate.step("piped", 0) }], { ioMode: "fifo" }),
  ];
  await Promise.all(dead.map((process) => process.until("started", 1)));
  const directory = join(at.ioDir, dead[0]?.said[0]?.id ?? "");
  await expect.poll(() => readFile(join(directory, "stderr"), "utf8")).toBe("waits\n");
  // Only what its process has read is freed.
  const storedBytes = async (): Promise<number> => (await stat(join(directory, "stdout"))).blocks * 512;
  await expect.poll(storedBytes).toBeLessThan(1.5 * 1024 * 1024);
  await Promise.all(dead.map((process) => process.kill()));
  await using runner = executor();
  const handles = await recovered(runner);
  // What is in a pipe is lost if nobody has it open when the step ends.
  await Promise.all(handles.map(({ log }) => log.read().next()));
  await gate.open();
  const results = await Promise.all(handles.map(({ result }) => result));
  const piped = results.find(({ name }) => name === "piped");
  expect(piped).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/last\n$/),
    truncated: true,
    log: {
      complete: false,
      gaps: [{ stream: "stdout", offset: 0, reason: "not-read" }, { stream: "stderr" }],
    },
  });
  const cut = results.find(({ name }) => name === "limited");
  // If the other stream is read first, it is the oldest.
  const other = { stream: "stderr", offset: 0, bytes: "waits\n".length, reason: "log-limit" };
  expect(cut).toMatchObject({ exitCode: 0, cause: "exit", log: { complete: false } });
  const [first, ...further] = cut?.log.gaps ?? [];
  expect(first).toMatchObject({ stream: "stdout", offset: 0, reason: "log-limit" });
  expect([[], [other]]).toContainEqual(further);
  expect(cut?.log.stdout).toMatchObject({
    bytes: 40_000 * 47 + "last\n".length,
    tail: expect.stringMatching(/^[0-9\n]+last\n$/),
  });
  await runner.close();
  await at.expectNothingLeft(before);
});

test("a step that ends while its process and the daemon are away has its true code, or says that nobody knows it (fault case 3)", async () => {
  const before = await at.inventory();
  const gate = await openGate();
  const dead = startProcess([{ step: gate.step("away", 7) }]);
  await dead.until("started", 1);
  await dead.kill();
  const [task] = await at.client.tasks.list();
  at.daemon.kill("SIGKILL");
  await at.daemon.exited;
  await gate.open();
  await gone(task?.pid ?? 0);
  await at.daemon.restart();
  await using runner = executor();
  const [handle] = await recovered(runner);
  const result = await handle?.result;
  if (result?.cause === "exit") expect(result.exitCode).toBe(7);
  else expect(result).toMatchObject({ cause: "unknown", exitCode: null });
  expectWholeLog(result?.stdout ?? "");
  await runner.close();
  await at.expectNothingLeft(before);
});
