import { chmod, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { busyboxArchive } from "@wfe-containerd/test-infra/images";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { actUntil, call, MAIN, type Running, run as runProgram, start, type Told, told } from "./command.js";

const daemon_ = useDaemon();
let files: string;

beforeAll(async () => {
  files = await mkdtemp(join(tmpdir(), "test-commands-"));
  await chmod(files, 0o755);
});
afterAll(() => rm(files, { recursive: true }));

const at = (): string[] => ["--address", daemon_.daemon.address, "--namespace", daemon_.client.namespace];
const env = (): NodeJS.ProcessEnv => ({ WFE_IO_DIR: daemon_.ioDir });

const cli = async (...args: string[]): Promise<Told> => told(await call([...at(), ...args], { env: env() }));

/** Runs the command on a terminal of its own, where the given text is typed. */
async function onTerminal(args: readonly string[], { columns = 80, typed = "" } = {}): Promise<Told> {
  const command = [process.execPath, MAIN, ...at(), ...args].join(" ");
  const script = [
    "--quiet",
    "--return",
    "--command",
    `stty cols ${columns} rows 24; exec ${command}`,
    "/dev/null",
  ];
  return told(await runProgram("script", script, { env: env(), input: typed, keepsInput: typed === "" }));
}

/** Starts a step, and waits until it runs. It ends with 5 at SIGTERM, and prints `usr1` at SIGUSR1. */
async function startStep(name: string, ...flags: string[]): Promise<Running> {
  const script = "trap 'exit 5' TERM; trap 'echo usr1' USR1; echo on; while :; do sleep 0.05; done";
  const args = [...at(), "run", "--name", name, "--stop-timeout", "0s", ...flags];
  const step = start([...args, "busybox", "sh", "-c", script], { env: env() });
  await step.printed("on");
  return step;
}

describe("a running step", () => {
  let step: Running;
  let id: string;

  beforeAll(async () => {
    step = await startStep("build", "-m", "64m", "--label", "team=ci", "-e", "FROM=test");
    id = (await cli("ps", "-q")).stdout.trim();
    expect(id).toMatch(/^wfe-[0-9a-f]+$/);
  });
  afterAll(async () => {
    step.child.kill("SIGTERM");
    await step.finished;
  });

  test("can be named by its id, the beginning of its id, or its name", async () => {
    for (const word of [id, id.slice(0, 9), id.slice(4, 9), "build"])
      expect(await cli("inspect", "-f", "{{.ID}} {{.Name}} {{.State.Status}}", word), word).toEqual({
        code: 0,
        stdout: `${id} build running\n`,
        stderr: "",
      });
    expect(await cli("stop", "bui")).toEqual({
      code: 125,
      stdout: "",
      stderr: `wfe-containerd: there is no step "bui" in namespace ${daemon_.client.namespace}; \`wfe-containerd ps -a\` lists all\n`,
    });
  });

  test("inspect has docker's fields beside containerd's record, and templates of both", async () => {
    const [whole] = JSON.parse((await cli("inspect", "build")).stdout);
    expect(whole).toMatchObject({
      id,
      snapshotKey: expect.any(String),
      task: { status: "running" },
      state: { running: true, paused: false, pid: whole.task.pid },
      config: {
        image: "docker.io/library/busybox:latest",
        labels: { team: "ci" },
        env: expect.arrayContaining(["FROM=test"]),
      },
    });
    const template =
      '{{.State.Pid}} {{index .Config.Labels "team"}} {{range .Config.Env}}{{println .}}{{end}}';
    const { stdout } = await cli("inspect", "--format", template, "build");
    expect(stdout).toMatch(new RegExp(`^${whole.task.pid} ci [\\s\\S]*^FROM=test$`, "m"));
    expect(await cli("inspect", "-f", "{{.Nope}}", "build")).toMatchObject({
      code: 125,
      stderr: expect.stringMatching(
        /^wfe-containerd: --format: \.Nope: the value has no field of that name; allowed: \.id/,
      ),
    });
  });

  test("ps takes docker's flags", async () => {
    expect((await cli("ps")).stdout).toMatch(
      new RegExp(
        `^ID +STEP +IMAGE +STATUS +EXECUTOR +OWNER +CREATED\\n${id} +build +\\S*busybox\\S* +running `,
      ),
    );
    for (const [args, expected] of [
      [["-q", "--filter", "name=bui", "--filter", "status=running"], `${id}\n`],
      [["-q", "-f", "ancestor=busybox", "-f", "label=team=ci"], `${id}\n`],
      [["-aq", "--filter", "label=team=qa"], ""],
      [["-l", "-q"], `${id}\n`],
      [["--format", "id"], `${id}\n`],
      [["--format", "step,Status"], "build\trunning\n"],
      [["--format", '{{.ID}}\\t{{.Names}} {{.Label "team"}}'], `${id}\tbuild ci\n`],
      [["--no-trunc", "--format", "table {{.Names}}\\t{{.State}}"], "NAMES   STATE\nbuild   running\n"],
    ] as const)
      expect(await cli("ps", ...args), args.join(" ")).toEqual({ code: 0, stdout: expected, stderr: "" });
    expect(JSON.parse((await cli("ps", "--format", "{{json .}}")).stdout)).toEqual(
      JSON.parse((await cli("ps", "--format", "json")).stdout)[0],
    );
    expect((await cli("ps", "--format", "bogus")).stderr).toMatch(
      /^wfe-containerd: --format: "bogus" is not a column; allowed: table, json, id, step, image, status, executor, owner, created, /,
    );
  });

  test("a table fits the terminal; --no-trunc prints all of it", async () => {
    const narrow = (await onTerminal(["ps"])).stdout.split("\r\n");
    expect(narrow[1]).toContain(`${id.slice(0, 16)} `);
    expect(narrow[1]).toContain("…");
    for (const line of narrow) expect(line.length).toBeLessThanOrEqual(80);
    const whole = (await onTerminal(["ps", "--no-trunc"])).stdout;
    expect(whole).not.toContain("…");
    expect(whole).toMatch(/\dZ\s*$/);
  });

  test("top lists its processes, as ps(1) does", async () => {
    const { pid } = await daemon_.client.tasks.get(id);
    const { stdout } = await cli("top", "build");
    expect(stdout).toMatch(/^USER +PID +PPID +S +TIME +CMD\n/);
    // A child that the shell has just forked has the same arguments.
    expect(stdout).toMatch(new RegExp(`^\\d+ +${pid} +\\d+ +[A-Z] .* sh -c trap`, "m"));
  });

  test("stats tells what it uses", async () => {
    const { stdout } = await cli("stats", "--no-stream", "--format", "json", "build");
    const [row, ...others] = JSON.parse(stdout);
    expect(others).toEqual([]);
    expect(row).toMatchObject({ id, step: "build", memoryLimitBytes: 64 * 1024 ** 2 });
    expect(row.memoryBytes).toBeGreaterThan(0);
    expect(row.processes).toBeGreaterThan(0);
    const line = await cli("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}} {{.PIDs}}");
    expect(line.stdout).toMatch(/^build [\d.]+ [KM]iB \/ 64\.0 MiB \d+\n$/);
    expect((await cli("stats", "--no-stream", "none")).code).toBe(125);
  });

  test("pause freezes it, and unpause lets it go on", async () => {
    expect(await cli("pause", "build")).toEqual({ code: 0, stdout: "build\n", stderr: "" });
    expect((await cli("ps", "--format", "{{.Status}}")).stdout).toBe("paused\n");
    expect((await cli("pause", "build")).code).toBe(125);
    expect(await cli("unpause", id)).toEqual({ code: 0, stdout: `${id}\n`, stderr: "" });
    expect((await daemon_.client.tasks.get(id)).status).toBe("running");
  });

  test("kill sends it any signal, and refuses what is none", async () => {
    expect(await cli("kill", "-s", "usr1", "build")).toEqual({ code: 0, stdout: "build\n", stderr: "" });
    await step.printed("usr1");
    expect(await cli("kill", "--signal", "BOGUS", "build")).toMatchObject({
      code: 125,
      stderr: expect.stringMatching(/^wfe-containerd: --signal: "BOGUS" is not a signal; allowed: /),
    });
  });

  test("completion names it, flags and commands in bash", async () => {
    const bin = join(files, "bin");
    await runProgram("mkdir", [bin]);
    await symlink(MAIN, join(bin, "wfe-containerd"));
    const functions = join(files, "completion.bash");
    await writeFile(functions, (await cli("completion", "bash")).stdout);
    const complete = async (...words: string[]): Promise<string[]> => {
      const script = `source '${functions}'
COMP_LINE='wfe-containerd ${words.join(" ")}'; COMP_POINT=\${#COMP_LINE}; _wfe_containerd
printf '%s\\n' "\${COMPREPLY[@]}"`;
      const path = [bin, dirname(process.execPath), process.env["PATH"]].join(delimiter);
      const { stdout } = told(await runProgram("bash", ["-c", script], { env: { ...env(), PATH: path } }));
      return stdout.split("\n").filter((line) => line !== "");
    };
    expect(await complete("st")).toEqual(["step", "stats", "stop"]);
    expect(await complete(...at(), "stop", "")).toEqual(["build", id]);
    expect(await complete("stop", ...at(), "bu")).toEqual(["build"]);
    expect(await complete(...at(), "run", "--pul")).toEqual(["--pull"]);
    expect(await complete(...at(), "run", "--pull", "")).toEqual(["always", "missing", "never"]);
    expect(await complete(...at(), "run", "--pull=m")).toEqual(["missing"]);
    expect(await complete(...at(), "rmi", "bu")).toEqual(["busybox"]);
    // bash keeps what stands before the colon.
    await daemon_.client.images.tag("busybox", "example.com/named:1");
    expect(await complete(...at(), "rmi", "example.com/named:")).toEqual(["1"]);
    await daemon_.client.images.remove("example.com/named:1");
    expect(await complete(...at(), "inspect", "bu")).toEqual(["build", "busybox"]);
    expect(await complete("volume", "")).toEqual(["ls", "rm", "prune"]);
    expect(await complete("--address", "/no/such.sock", "stop", "")).toEqual([]);
  });
});

test("stop ends a step by its stop signal; events tell of it", async () => {
  const events = start([...at(), "events", "--filter", "type=container", "--format", "{{.Action}} {{.ID}}"], {
    env: env(),
  });
  const { containers } = daemon_.client;
  const probe = { id: "probe", image: "", spec: {}, snapshotKey: "", snapshotter: "" };
  await actUntil(events.printed("create probe\n"), async () => {
    await containers.create(probe);
    await containers.delete(probe.id);
  });
  const first = await startStep("first");
  const second = await startStep("second");
  await events.printed("start wfe-");
  const [secondId, firstId] = (await cli("ps", "-q")).stdout.split("\n");
  expect(await cli("stop", "-t", "60", "first", "none", "second")).toMatchObject({
    code: 125,
    stdout: "first\nsecond\n",
    stderr: expect.stringMatching(/^wfe-containerd: there is no step "none"/),
  });
  expect((await first.finished).code).toBe(5);
  expect((await second.finished).code).toBe(5);
  await events.printed(`exit ${firstId}`);
  await events.printed(`exit ${secondId}`);
  events.child.kill("SIGINT");
  await events.finished;
});

test("wait gives the exit codes of steps, those of running ones when they have ended", async () => {
  await cli("run", "-d", "--name", "over", "busybox", "sh", "-c", "exit 3");
  const script = "trap 'exit 5' TERM; echo on; while :; do sleep 0.05; done";
  await cli("run", "-d", "--name", "later", "busybox", "sh", "-c", script);
  const log = start([...at(), "logs", "-f", "later"], { env: env() });
  await log.printed("on\n");
  const waiting = cli("wait", "over", "later");
  expect((await cli("stop", "-t", "60", "later")).code).toBe(0);
  expect(await waiting).toEqual({ code: 0, stdout: "3\n5\n", stderr: "" });
  await log.finished;
  expect((await cli("rm", "over", "later")).code).toBe(0);
});

test("stop sends the signal that the step was started with, unless another one is given", async () => {
  const script = "trap 'exit 6' USR1; trap 'exit 7' USR2; echo on; while :; do sleep 0.05; done";
  for (const [name, flags, code] of [
    ["own", [], 6],
    ["given", ["-s", "USR2"], 7],
  ] as const) {
    const args = [...at(), "run", "--name", name, "--stop-signal", "USR1", "busybox", "sh", "-c", script];
    const step = start(args, { env: env() });
    await step.printed("on\n");
    expect((await cli("stop", "-t", "60", ...flags, name)).code).toBe(0);
    expect((await step.finished).code).toBe(code);
  }
});

test("stop kills what ignores its signal, and kill kills at once", async () => {
  const script = "trap '' TERM; echo on; while :; do sleep 0.05; done";
  const stubborn = start([...at(), "run", "--name", "stubborn", "busybox", "sh", "-c", script], {
    env: env(),
  });
  await stubborn.printed("on");
  expect(await cli("stop", "--time", "0", "stubborn")).toMatchObject({ code: 0, stdout: "stubborn\n" });
  expect((await stubborn.finished).code).toBe(137);
  const other = await startStep("other");
  expect(await cli("kill", "other")).toMatchObject({ code: 0, stdout: "other\n" });
  expect((await other.finished).code).toBe(137);
  expect((await cli("stop", "-t", "soon", "other")).stderr).toMatch(/^wfe-containerd: --time: "soon" is not/);
});

test("rm removes several steps; a name of two steps is told with both; a terminal is asked", async () => {
  // run refuses a name that is taken; a step file may give it again.
  const twin = 'steps: [{name: twin, image: busybox, run: "echo on; exec sleep 1000"}]';
  const twins = [1, 2].map(() => start([...at(), "step", "-"], { env: env(), input: twin }));
  for (const each of twins) await each.printed("on");
  const steps = [...twins, await startStep("single")];
  const ids = JSON.parse((await cli("ps", "--format", "json")).stdout) as { id: string; step: string }[];
  const [one, two] = ids.filter(({ step }) => step === "twin").map(({ id }) => id);
  const asked = await onTerminal(["rm", "single"], { typed: "n\n" });
  expect(asked).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/This kills wfe-\w+ \(single\)\. Continue\?/),
  });
  const refused = await cli("rm", "-f", "twin");
  expect(refused).toMatchObject({ code: 125, stdout: "" });
  for (const id of [one, two]) expect(refused.stderr).toContain(`${id} (twin)`);
  expect(await cli("rm", "none", "single", one ?? "", two?.slice(0, 20) ?? "")).toMatchObject({
    code: 125,
    stdout: `single\n${one}\n${two?.slice(0, 20)}\n`,
    stderr: expect.stringMatching(/^wfe-containerd: there is no step "none"/),
  });
  for (const step of steps) await step.finished;
  expect((await cli("ps", "-aq")).stdout).toBe("");
});

test("images, history, save and load take docker's flags; a digest's beginning names an image", async () => {
  const archive = join(files, "tools.tar");
  await writeFile(archive, await busyboxArchive("example.com/tools/busybox:1"));
  expect(await cli("load", "-i", archive)).toEqual({
    code: 0,
    stdout: "Loaded image: example.com/tools/busybox:1\n",
    stderr: "",
  });
  const { digest } = (await daemon_.client.images.get("example.com/tools/busybox:1")).target;
  const short = digest.slice("sha256:".length, "sha256:".length + 12);
  for (const [args, expected] of [
    [["-q", "tools"], ""],
    [["-q", "example.com/tools/busybox"], `${short}\n`],
    [["-q", "--no-trunc", "--filter", "reference=*/tools/*"], `${digest}\n`],
    [["--format", "{{.Repository}} {{.Tag}} {{.ID}}", "*tools*"], `example.com/tools/busybox 1 ${digest}\n`],
    [["--format", "digest", "*tools*"], `${digest}\n`],
  ] as const)
    expect(await cli("images", ...args), args.join(" ")).toEqual({ code: 0, stdout: expected, stderr: "" });
  const onScreen = await onTerminal(["images", "*tools*"], { columns: 100 });
  expect(onScreen.stdout).toMatch(new RegExp(`sha256:${short} .* ago\\r\\n$`));
  expect((await onTerminal(["images", "--digests", "*tools*"], { columns: 160 })).stdout).toContain(digest);
  expect((await cli("history", "-q", short)).stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/);
  expect((await cli("history", short)).stdout).toMatch(
    /^CREATED +CREATED BY +SIZE +COMMENT\n +[\d.]+ [KM]iB\n$/,
  );

  const saved = join(files, "saved.tar");
  expect(await cli("save", "-o", saved, "example.com/tools/busybox:1")).toEqual({
    code: 0,
    stdout: "",
    stderr: "",
  });
  await cli("tag", short, "example.com/other:2");
  const piped = await call([...at(), "save", "example.com/other:2"], { env: env() });
  expect(piped.code).toBe(0);
  expect((await cli("rmi", "example.com/tools/busybox:1", "example.com/other:2")).code).toBe(0);
  expect((await cli("load", "--input", saved)).stdout).toBe("Loaded image: example.com/tools/busybox:1\n");
  // That busybox has the same digest: a digest of two names removes neither, unless it is forced.
  expect(await cli("rmi", short)).toMatchObject({
    code: 125,
    stdout: "",
    stderr: expect.stringMatching(/is an image with 2 names: .*; give one of them, or --force/),
  });
  expect((await cli("rmi", "-f", short)).stdout.trim().split("\n").toSorted()).toEqual([
    "docker.io/library/busybox:latest",
    "example.com/tools/busybox:1",
  ]);
});

test("prune asks on a terminal, and takes no for an answer", async () => {
  const archive = join(files, "pruned.tar");
  await writeFile(archive, await busyboxArchive("example.com/pruned:1"));
  await cli("load", "-i", archive);
  const kept = await onTerminal(["prune"], { typed: "\n" });
  expect(kept.stdout).toMatch(/This removes .*example\.com\/pruned:1.*\. Continue\? \[y\/N\]/);
  expect(kept.stdout).toContain("nothing is removed");
  expect((await cli("images", "-q", "example.com/pruned")).stdout).not.toBe("");
  const removed = await onTerminal(["prune"], { typed: "y\n", columns: 200 });
  expect(removed.stdout).toMatch(/example\.com\/pruned:1 +sha256/);
  expect((await cli("images", "-q", "example.com/pruned")).stdout).toBe("");
});

describe("step", () => {
  const FILE = `
steps:
  - {name: first, image: "example.com/shell:1", run: "echo out; printf 'no end' >&2"}
  - {name: second, image: "example.com/shell:1", run: "exit 4"}
  - {name: third, image: "example.com/shell:1", run: "echo never"}
`;
  const stepFile = (input: string, ...flags: string[]): Running =>
    start([...at(), "step", ...flags, "-"], { env: env(), input });
  const runFile = async (input: string, ...flags: string[]): Promise<Told> =>
    told(await call([...at(), "step", ...flags, "-"], { env: env(), input }));
  const step = (...flags: string[]): Promise<Told> => runFile(FILE, ...flags);
  const leasedWorkspaces = async (): Promise<readonly string[]> =>
    (await daemon_.client.leases.list()).map(({ id }) => id).filter((id) => id.startsWith("workspace-"));

  beforeAll(async () => {
    const archive = join(files, "shell.tar");
    await writeFile(archive, await busyboxArchive("example.com/shell:1"));
    await cli("load", "-i", archive);
    // The tests above have removed it.
    await cli("tag", "example.com/shell:1", "busybox:latest");
  });

  test("tells which step runs, which failed, why, and what did not run", async () => {
    expect(await step()).toEqual({
      code: 4,
      stdout: "out\n",
      stderr:
        "==> [1/3] first (example.com/shell:1)\nno end==> [2/3] second (example.com/shell:1)\n==> step second: failed (exit code 4); not run: third\n",
    });
  });

  test("--quiet tells nothing of that; --prefix names the step of each line", async () => {
    expect(await step("--quiet")).toEqual({ code: 4, stdout: "out\n", stderr: "no end" });
    expect(await step("-q", "--prefix")).toEqual({
      code: 4,
      stdout: "first  | out\n",
      stderr: "first  | no end\n",
    });
  });

  test("--check finds mistakes without a daemon, and runs nothing", async () => {
    const check = async (input: string): Promise<Told> =>
      told(await call(["--address", "/no/such.sock", "step", "--check", "-"], { input }));
    expect(await check(FILE)).toEqual({
      code: 0,
      stdout: "standard input: 3 steps: first, second, third\n",
      stderr: "",
    });
    expect(await check("session: true\nimage: a\nsteps: [{name: b, run: c}, {name: d, run: e}]")).toEqual({
      code: 0,
      stdout: "standard input: 2 steps in one container: b, d\n",
      stderr: "",
    });
    expect(await check("name: a\nimage: b\nvolumes: ['/etc:/x']\nprivileged: true\n")).toMatchObject({
      code: 125,
      stdout: "",
      stderr: expect.stringMatching(
        /standard input has 2 mistakes:\n {2}line 3: volumes.*\n {2}line 4: privileged/,
      ),
    });
  });

  test("tells of a step that could not be run what of one that failed", async () => {
    const input = `
steps:
  - {name: first, image: "example.com/shell:1", command: [no-such-program]}
  - {name: second, image: "example.com/shell:1", run: "echo never"}
`;
    expect(await runFile(input)).toEqual({
      code: 127,
      stdout: "",
      stderr: expect.stringMatching(
        /^==> \[1\/2\] first .*\nwfe-containerd: .*no-such-program.*\n==> step first: could not be run; not run: second\n$/,
      ),
    });
  });

  test("what the policy does not allow is found before the first step runs", async () => {
    const input = `
steps:
  - {name: first, image: "example.com/shell:1", run: "echo out"}
  - {name: second, image: "example.com/shell:1", network: host}
`;
    expect(await runFile(input)).toEqual({
      code: 125,
      stdout: "",
      stderr: expect.stringMatching(
        /^wfe-containerd: standard input: line 4: steps\[1\]: network: .*host_network\n$/,
      ),
    });
  });

  test("steps share a workspace, whoever they are, and nothing of it is left", async () => {
    const before = await daemon_.inventory();
    const input = `
workspace: /work
steps:
  - {name: a, image: "example.com/shell:1", run: "pwd; umask 077; echo a > file; mkdir in"}
  - {name: b, image: "example.com/shell:1", user: 1000, run: "echo b >> file; echo b > in/file"}
  - {name: c, image: "example.com/shell:1", user: root, run: "echo c >> file; rm -r in"}
  - {name: d, image: "example.com/shell:1", working_dir: /, run: "cat /work/file; ls /work; pwd; exit 3"}
`;
    expect(await runFile(input, "--quiet")).toEqual({
      code: 3,
      stdout: "/work\na\nb\nc\nfile\n/\n",
      stderr: "",
    });
    await daemon_.expectNothingLeft(before);
  });

  test.each([
    ["workspace.yaml", "hello from 65534\n"],
    ["session.yaml", "hello\n"],
  ])("the example %s", async (name, stdout) => {
    const example = join(import.meta.dirname, "../../../examples/steps", name);
    expect(await cli("step", "-q", example)).toEqual({ code: 0, stdout, stderr: "" });
  });

  test("a signal removes the workspace; gc removes that of a killed command", async () => {
    const before = await daemon_.inventory();
    const input = `
workspace: /work
steps:
  - {name: sharing, image: "example.com/shell:1", stop_grace: 0s, run: "echo x > file; echo on; exec sleep 600"}
`;
    const stopped = stepFile(input);
    await stopped.printed("on");
    expect(await leasedWorkspaces()).toHaveLength(1);
    stopped.child.kill("SIGINT");
    expect((await stopped.finished).code).toBe(130);
    await daemon_.expectNothingLeft(before);

    const killed = stepFile(input);
    await killed.printed("on");
    killed.child.kill("SIGKILL");
    await killed.finished;
    const [workspace] = await leasedWorkspaces();
    const { stdout } = await cli("gc", "--format", "json");
    expect(JSON.parse(stdout)).toContainEqual(expect.objectContaining({ kind: "lease", id: workspace }));
    await daemon_.expectNothingLeft(before);
  });

  describe("session: true", () => {
    const inSession = (steps: string, head = ""): string =>
      `session: true\nimage: "example.com/shell:1"\n${head}\nsteps:\n${steps}`;

    test("steps share one container, each with its own user, variables, directory, time-out and outputs", async () => {
      const before = await daemon_.inventory();
      const secret = join(files, "token");
      await writeFile(secret, "hidden");
      const pin = join(files, "pin");
      await writeFile(pin, "also hidden");
      const input = inSession(
        `
  - {name: one, run: "echo kept > /tmp/file; id -u; echo '##wfe[output release=1.2]'; cat /run/secrets/token"}
  - {name: two, run: "cat /tmp/file; id -u; pwd; echo $A $B $ONE_OUTPUTS_RELEASE $EXTRA; cat $WFE_SECRETS_DIR/pin", secrets: [pin], user: 1000, working_dir: /tmp, env: {B: b}}
  - {name: three, run: "pwd; touch here"}
  - {name: four, run: "exec sleep 600", timeout: 1s}
  - {name: five, run: "echo never"}
`,
        "env: {A: a, B: x}\nuser: 7\nsecrets: [token]\nworkspace: /work",
      );
      const values = ["--secret", `id=token,src=${secret}`, "--secret", `id=pin,src=${pin}`];
      const told = await runFile(input, "--prefix", "-d", "extra=e", ...values);
      expect(told).toEqual({
        code: 124,
        stdout: [
          "one   | 7",
          "one   | ##wfe[output release=1.2]",
          "one   | ***",
          "two   | kept",
          "two   | 1000",
          "two   | /tmp",
          "two   | a b 1.2 e",
          "two   | ***",
          "three | /work",
          "",
        ].join("\n"),
        stderr: [
          "==> [1/5] one (example.com/shell:1)",
          "==> [2/5] two (example.com/shell:1)",
          "==> [3/5] three (example.com/shell:1)",
          "==> [4/5] four (example.com/shell:1)",
          "wfe-containerd: step four: ran longer than its time-out",
          "==> step four: ran longer than its time-out (exit code 143); not run: five",
          "",
        ].join("\n"),
      });
      await daemon_.expectNothingLeft(before);
    });

    test("a container that cannot be made is told with its reason, and what did not run", async () => {
      const steps = "steps: [{name: one, run: ls}, {name: two, run: ls}]";
      expect(await runFile(`session: true\nimage: absent\npull: never\n${steps}`)).toEqual({
        code: 125,
        stdout: "",
        stderr: expect.stringMatching(
          /^wfe-containerd: .*absent.*\n==> the container could not be made; not run: one, two\n$/,
        ),
      });
    });

    test("the end of its container is told with its reason, and what did not run", async () => {
      const before = await daemon_.inventory();
      const input = inSession(
        '  - {name: one, run: "echo on; exec sleep 600"}\n  - {name: two, run: "echo never"}\n',
        "name: shared",
      );
      const running = stepFile(input);
      await running.printed("on");
      await cli("kill", "-s", "KILL", "shared");
      expect(told(await running.finished)).toEqual({
        code: 137,
        stdout: "on\n",
        stderr: [
          "==> [1/2] one (example.com/shell:1)",
          "wfe-containerd: step one: ended because its container did",
          "wfe-containerd: session shared: its container has ended: somebody killed it",
          "==> step one: ended because its container did (exit code 137); not run: two",
          "",
        ].join("\n"),
      });
      await daemon_.expectNothingLeft(before);
    });

    test("outlives a restart of the daemon, and so does the workspace", async () => {
      const before = await daemon_.inventory();
      const wait = "echo on; echo kept > file; while ! [ -e /tmp/go ]; do sleep 0.05; done";
      const input = inSession(
        `  - {name: one, run: "${wait}"}\n  - {name: two, run: "cat file"}\n`,
        "name: restarted\nworkspace: /work",
      );
      const running = stepFile(input, "--quiet");
      await running.printed("on");
      daemon_.daemon.kill("SIGKILL");
      await daemon_.daemon.exited;
      await daemon_.daemon.restart();
      const [session] = await daemon_.client.tasks.list();
      await writeFile(`/proc/${session?.pid}/root/tmp/go`, "");
      expect(told(await running.finished)).toMatchObject({ code: 0, stdout: "on\nkept\n" });
      await daemon_.expectNothingLeft(before);
    });

    test("a signal stops the step, and removes the container", async () => {
      const before = await daemon_.inventory();
      const wait = "trap 'echo bye; exit 0' TERM; echo on; while :; do sleep 0.05; done";
      const input = inSession(
        `  - {name: one, run: "${wait}", stop_grace: 60s}\n  - {name: two, run: "echo never"}\n`,
      );
      const running = stepFile(input, "--quiet");
      await running.printed("on");
      running.child.kill("SIGINT");
      expect(told(await running.finished)).toMatchObject({ code: 130, stdout: "on\nbye\n" });
      await daemon_.expectNothingLeft(before);
    });
  });
});

test("doctor finds that steps can run, and what keeps them from it", async () => {
  const well = await cli("doctor", "--image", "example.com/shell:1");
  expect(well).toMatchObject({ code: 0, stderr: "" });
  expect(well.stdout).toMatch(/^ok {4}connection: unix:.* answers$/m);
  expect(well.stdout).toMatch(/^(?:ok {2}|warn) {2}containerd: \d/m);
  expect(well.stdout).toMatch(/^ok {4}snapshotter: overlayfs$/m);
  expect(well.stdout).toMatch(/^ok {4}clock: /m);
  expect(well.stdout).toMatch(/^ok {4}a step: example\.com\/shell:1 ran in \d+ ms; .* see the same files/m);
  expect(well.stdout).not.toMatch(/^fail/m);

  const broken = await cli("--snapshotter", "bogus", "doctor", "--no-step", "--format", "json");
  expect(broken.code).toBe(1);
  expect(JSON.parse(broken.stdout)).toContainEqual({
    result: "fail",
    check: "snapshotter",
    found: "the daemon has no bogus",
    advice: expect.stringContaining("overlayfs"),
  });
  const noImage = await cli("doctor", "--image", "127.0.0.1:1/none:1");
  expect(noImage.code).toBe(1);
  expect(noImage.stdout).toMatch(/^fail {2}a step: .*127\.0\.0\.1:1/m);
  const away = await call(["--address", join(files, "no.sock"), "doctor"]);
  expect(told(away)).toMatchObject({ code: 1, stderr: "" });
  expect(away.stdout.toString()).toMatch(/^fail {2}connection: .*\n {6}-> start containerd/m);
});

test("commands of docker that are missing are told with what to do instead; help is in groups", async () => {
  expect(await cli("start", "build")).toEqual({
    code: 125,
    stdout: "",
    stderr:
      "wfe-containerd: there is no command start; a step runs once; run it again\nwfe-containerd --help lists the commands.\n",
  });
  const { stdout, code } = await cli("--help");
  expect(code).toBe(0);
  for (const heading of ["Steps:", "Images:", "Registries:", "The daemon and its machine:", "Examples:"])
    expect(stdout).toContain(`\n${heading}\n`);
  expect(stdout).not.toContain("__complete");
  expect((await cli("help", "stop")).stdout).toContain("wfe-containerd stop -t 60 a b");
});

describe("what a command loads", () => {
  const dist = dirname(MAIN);

  /** The text of all files of the command that a call has loaded. */
  async function loaded(...args: string[]): Promise<string> {
    const directory = await mkdtemp(join(files, "loaded-"));
    // At its end, Node writes there what it has run of each file.
    const { code } = await start(args, { env: { NODE_V8_COVERAGE: directory } }).finished;
    expect(code).toBe(0);
    const [report = ""] = await readdir(directory);
    const { result } = JSON.parse(await readFile(join(directory, report), "utf8")) as {
      result: readonly { readonly url: string }[];
    };
    const own = result.filter(({ url }) => url.startsWith(`${pathToFileURL(dist)}/`));
    expect(own.map(({ url }) => url)).toContain(String(pathToFileURL(MAIN)));
    return (await Promise.all(own.map(({ url }) => readFile(fileURLToPath(url), "utf8")))).join("");
  }

  test("the help needs neither the client nor the executor", async () => {
    expect(await loaded("--help")).not.toMatch(/grpc-js/);
  });

  test("a list needs no server, no parser of proto files, and no widths of other characters", async () => {
    const text = await loaded(...at(), "ps");
    expect(text).toMatch(/\/grpc-js\/build\/src\/channel\.js"/);
    expect(text).not.toMatch(/\/grpc-js\/build\/src\/server\.js"|\/node_modules\/protobufjs\/|RGI_Emoji/);
    expect(await loaded(...at(), "ps", "--format", "table {{.ID}} 日")).toMatch(/RGI_Emoji/);
  });
});
