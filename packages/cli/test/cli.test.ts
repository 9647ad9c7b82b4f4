import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@wfe-containerd/client";
import { pauseProcess, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { busyboxArchive } from "@wfe-containerd/test-infra/images";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { call, type Finished, start } from "./command.js";

const daemon_ = useDaemon();
let files: string;

beforeAll(async () => {
  files = await mkdtemp(join(tmpdir(), "test-cli-"));
  // Steps run as the user 65534, and must be able to read the directory.
  await chmod(files, 0o755);
});
afterAll(() => rm(files, { recursive: true }));

/** Options that name the test's daemon. */
const at = (): string[] => ["--address", daemon_.daemon.address, "--namespace", daemon_.client.namespace];
const env = (): NodeJS.ProcessEnv => ({ WFE_IO_DIR: daemon_.ioDir });

async function file(name: string, contents: string): Promise<string> {
  const path = join(files, name);
  await writeFile(path, contents);
  return path;
}

describe("run", () => {
  test("passes output through to the byte, and gives the step's exit code", async () => {
    const { code, stdout, stderr } = await call(
      [...at(), "run", "busybox", "sh", "-c", "printf 'a\\000\\377'; echo err >&2; exit 42"],
      { env: env() },
    );
    expect({ code, stdout, stderr }).toEqual({
      code: 42,
      stdout: Buffer.from([0x61, 0, 0xff]),
      stderr: "err\n",
    });
  });

  test("takes the options of every command behind the command, too", async () => {
    const { daemon, client } = daemon_;
    const options = [`--address=${daemon.address}`, "-n", client.namespace, "--snapshotter", "overlayfs"];
    const away = ["--address", "/nowhere.sock"];
    const run = await call([...away, "run", ...options, "busybox", "echo", "--address", "x"], { env: env() });
    expect({ code: run.code, stdout: run.stdout.toString() }).toEqual({ code: 0, stdout: "--address x\n" });
    const list = await call([...away, "volume", "ls", ...options, "--format", "json"], { env: env() });
    expect({ code: list.code, stdout: JSON.parse(list.stdout.toString()) }).toEqual({ code: 0, stdout: [] });
  });

  test("takes docker's flags", async () => {
    const envFile = await file("env", "# a comment\nFROM_FILE=1\nBOTH=file\n");
    const { stdout, stderr } = await call(
      [
        ...at(),
        "run",
        "--rm",
        "-e",
        "BOTH=flag",
        "-e",
        "TAKEN",
        "--env-file",
        envFile,
        "-w",
        "/tmp",
        "-u",
        "1000:7",
        "-m",
        "32m",
        "--cpus",
        "0.5",
        "-v",
        `${files}:/files:ro`,
        "--entrypoint",
        "/bin/sh",
        "busybox",
        "-c",
        "echo $FROM_FILE $BOTH $TAKEN; pwd; id -u; id -g; ls /files; touch /files/x",
      ],
      { env: { ...env(), TAKEN: "ours" } },
    );
    expect(stdout.toString().split("\n")).toEqual(["1 flag ours", "/tmp", "1000", "7", "env", ""]);
    expect(stderr).toContain("Read-only file system");
  });

  test("takes docker's flags of isolation and limits", async () => {
    const { stdout, stderr, code } = await call(
      [
        ...at(),
        "run",
        ...["--user", "0", "--cap-drop", "ALL", "--cap-add", "kill", "--hostname", "told", "--read-only"],
        ...["--tmpfs", "/scratch:size=1m,mode=700", "--shm-size", "2m", "--ulimit", "nofile=99:100"],
        ...["--sysctl", "net.ipv4.ip_forward=1", "--group-add", "7", "--pids-limit", "20", "--init"],
        ...["--security-opt", "no-new-privileges=false", "--device", "/dev/fuse", "--oom-score-adj", "500"],
        "busybox",
        "sh",
        "-c",
        `hostname; grep -E 'CapBnd|NoNewPrivs|Groups' /proc/self/status; ulimit -n
         df -k /scratch /dev/shm | awk 'NR>1 {print $2, $6}'; cat /proc/sys/net/ipv4/ip_forward
         ls /dev/fuse; cat /proc/self/oom_score_adj; readlink /proc/1/exe; touch /x`,
      ],
      { env: env() },
    );
    expect(
      stdout
        .toString()
        .replaceAll(/[\t ]+/g, " ")
        .split("\n"),
    ).toEqual([
      "told",
      "Groups: 0 7 ",
      "CapBnd: 0000000000000020",
      "NoNewPrivs: 0",
      "99",
      "1024 /scratch",
      "2048 /dev/shm",
      "1",
      "/dev/fuse",
      "500",
      "/dev/init",
      "",
    ]);
    expect(stderr).toContain("Read-only file system");
    expect(code).toBe(1);
  });

  test("--runtime takes a program of the daemon's machine, and tells if it is not there", async () => {
    const binary = await file(
      "traced",
      `#!/bin/sh\necho "$*" >> '${join(files, "calls")}'\nexec runc "$@"\n`,
    );
    await chmod(binary, 0o755);
    const run = (runtime: string) =>
      call([...at(), "run", "--runtime", runtime, "busybox", "echo", "ran"], { env: env() });
    for (const runtime of [binary, "runc"]) {
      const { code, stdout, stderr } = await run(runtime);
      expect({ code, stdout: stdout.toString(), stderr }).toEqual({ code: 0, stdout: "ran\n", stderr: "" });
    }
    expect((await readFile(join(files, "calls"), "utf8")).match(/ create /g)).toHaveLength(1);
    const missing = await run("no-such-runtime");
    expect(missing.code).toBe(125);
    expect(missing.stderr).toMatch(
      /^wfe-containerd: --runtime: the program no-such-runtime cannot be started on the daemon's machine; allowed: /m,
    );
    expect(await run("./runsc")).toMatchObject({ code: 125, stderr: expect.stringContaining("--runtime: ") });
  });

  test("secrets from a file and from the environment", async () => {
    const path = await file("token", "secret-canary-file\n");
    const { stdout, stderr, code } = await call(
      [
        ...at(),
        "run",
        ...["--secret", `id=file,src=${path}`, "--secret", "id=variable,env=FROM_ENV,target=/etc/app/key"],
        "busybox",
        "sh",
        "-c",
        "wc -c < /run/secrets/file; cat /run/secrets/file /etc/app/key; env | grep -c canary",
      ],
      { env: { ...env(), FROM_ENV: "secret-canary-variable" } },
    );
    expect({ code, stdout: stdout.toString(), stderr }).toEqual({
      code: 1,
      stdout: "19\n***\n***0\n",
      stderr: "",
    });
  });

  test("a seccomp profile from a file", async () => {
    const profile = {
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 38 }],
    };
    const path = await file("profile.json", JSON.stringify(profile));
    const option = ["--security-opt", `seccomp=${path}`];
    const { stderr } = await call([...at(), "run", ...option, "busybox", "mkdir", "/tmp/x"], { env: env() });
    expect(stderr).toContain("Function not implemented");
  });

  test("mounts what docker's spellings name", async () => {
    for (const name of ["plain", 'a, "b": c']) {
      await mkdir(join(files, name));
      await writeFile(join(files, name, "is"), `${name}\n`);
    }
    const mount = `type=bind,"source=${files}/a, ""b"": c",target=/comma,readonly`;
    const { code, stdout, stderr } = await call(
      [
        ...[...at(), "run", "-v", "./plain:/relative:ro,z", "-v=./plain:/cached:cached", "--mount", mount],
        ...["--init=false", "-m=64m", "--memory-swap", "0", "--restart=no", "--rm=true", "busybox"],
        ...["cat", "/relative/is", "/cached/is", "/comma/is"],
      ],
      { env: env(), cwd: files },
    );
    expect({ code, stdout: stdout.toString(), stderr }).toEqual({
      code: 0,
      stdout: 'plain\nplain\na, "b": c\n',
      stderr: "",
    });
  });

  test("tries a command again that fails, and says so", async () => {
    const args = ["run", "--retry", "2,delay=10ms", "busybox", "sh", "-c", "echo out; exit 7"];
    expect(await call([...at(), ...args], { env: env() })).toMatchObject({
      code: 7,
      stdout: Buffer.from("out\nout\n"),
      stderr: "wfe-containerd: attempt 1 of 2 failed (exit code 7); the next one begins in 10 ms\n",
    });
    expect(await call([...at(), "run", "--retry", "0", "busybox", "true"], { env: env() })).toMatchObject({
      code: 125,
      stderr: expect.stringMatching(
        /^wfe-containerd: --retry: 0 is not allowed; allowed: a whole number from 1/,
      ),
    });
  });

  test("writes the container's id to a file, once; takes labels from one", async () => {
    const id = join(files, "cid");
    const labels = await file("labels", "# a comment\nfrom.file=1\n");
    const args = ["run", "--cidfile", id, "--label-file", labels, "--quiet", "--platform", "linux"];
    const step = start([...at(), ...args, "busybox", "sh", "-c", "echo on; exec sleep 600"], { env: env() });
    await step.printed("on");
    const { labels: given } = await daemon_.client.containers.get(await readFile(id, "utf8"));
    expect(given).toMatchObject({ "from.file": "1" });
    step.child.kill("SIGINT");
    step.child.kill("SIGTERM");
    await step.finished;
    const again = await call([...at(), ...args, "busybox", "true"], { env: env() });
    expect(again).toMatchObject({
      code: 125,
      stderr: `wfe-containerd: --cidfile: ${id} already exists; remove it\n`,
    });
  });

  test("says that processes were killed at the memory limit of a step that goes on", async () => {
    const script = "tail /dev/zero; echo goes on";
    const { code, stdout, stderr } = await call(
      [...at(), "run", "-m", "16m", "busybox", "sh", "-c", script],
      {
        env: env(),
      },
    );
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 0, stdout: "goes on\n" });
    expect(stderr).toMatch(
      /^wfe-containerd: step run: the kernel killed 1 of its processes at its memory limit$/m,
    );
  });

  test("hands options behind the image to the command", async () => {
    const { stdout } = await call([...at(), "run", "busybox", "echo", "--rm", "-e", "x"], { env: env() });
    expect(stdout.toString()).toBe("--rm -e x\n");
  });

  test.each([
    [127, ["busybox", "no-such-program"], /has no program no-such-program/],
    [126, ["busybox", "/etc/passwd"], /cannot be executed/],
    [125, ["no/such/image"], /no image|not found|image/],
    [125, ["--bogus", "busybox"], /unknown option/],
    [125, ["-v", "relative/path:/x", "busybox"], /^wfe-containerd: --volume: "relative\/path/],
    [125, ["-it", "busybox"], /^wfe-containerd: --tty: standard input is not a terminal/],
    [125, ["--platform", "linux/s390x", "busybox"], /^wfe-containerd: --platform: .*allowed: linux\//],
    [125, ["--cpus", "many", "busybox"], /--cpus/],
    [125, ["--ulimit", "nofile", "busybox"], /--ulimit/],
    [125, ["--sysctl", "x", "busybox"], /--sysctl/],
    [125, ["--security-opt", "label=disable", "busybox"], /--security-opt/],
    [125, ["--security-opt", "seccomp=/no/such/file", "busybox"], /cannot read the seccomp profile/],
    [125, ["--device-read-bps", "8", "busybox"], /--device-read-bps/],
    [125, ["--secret", "id=x", "busybox"], /src and env are both missing/],
    [125, ["--secret", "id=x,value=y", "busybox"], /value is an unknown key/],
    [125, ["--secret", "id=x,env=NO_SUCH_VARIABLE", "busybox"], /the variable NO_SUCH_VARIABLE is not set/],
    [125, ["--secret", "id=x,src=/no/such/file", "busybox"], /cannot read/],
    [125, ["--cap-add", "SYS_ADMN", "busybox"], /^wfe-containerd: --cap-add: .*did you mean SYS_ADMIN/],
    [
      125,
      ["--cpuset-cpus", "0-9999", "busybox"],
      /^wfe-containerd: --cpuset-cpus: .* does not have these CPUs/,
    ],
    [125, ["--tmpfs", "relative", "-v", "x:y", "busybox"], /^ {2}--volume: .*\n {2}--tmpfs: /m],
    [125, ["--workdir", "relative", "busybox"], /^wfe-containerd: --workdir: /],
    [125, ["--volume", "/run/containerd:/x", "busybox"], /allowed: by no policy/],
    [125, [], /missing required argument/],
  ])("ends with %d for %j (fault case 24)", async (expected, args, message) => {
    const { code, stdout, stderr } = await call([...at(), "run", "--pull", "never", ...args], { env: env() });
    expect({ code, stdout: stdout.toString() }).toEqual({ code: expected, stdout: "" });
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain("\x1b");
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  test("a first SIGINT stops the step in order", async () => {
    const script = "trap 'echo bye; exit 9' TERM; echo on; while :; do sleep 0.05; done";
    const step = start([...at(), "run", "--stop-timeout", "300", "busybox", "sh", "-c", script], {
      env: env(),
    });
    await step.printed("on");
    step.child.kill("SIGINT");
    const { code, stdout, stderr } = await step.finished;
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 9, stdout: "on\nbye\n" });
    expect(stderr).toContain("was stopped");
  });

  test("a signal of one's own choice does, too", async () => {
    const script = "trap 'echo bye; exit 9' USR1; trap '' TERM; echo on; while :; do sleep 0.05; done";
    const flags = ["--stop-signal", "USR1", "--stop-timeout", "300"];
    const step = start([...at(), "run", ...flags, "busybox", "sh", "-c", script], { env: env() });
    await step.printed("on");
    step.child.kill("SIGTERM");
    expect(await step.finished).toMatchObject({ code: 9, stdout: Buffer.from("on\nbye\n") });
  });

  test("is told of the daemon's machine: its init, its bridge, ids", async () => {
    const init = "/usr/bin/tini-static";
    const told = ["--init-path", init, "--bridge-subnet", "10.0.0.0/30", "--userns-range", "7"];
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await call(
        [...at(), "run", ...args, "busybox", "cat", "/proc/1/comm"],
        {
          env: env(),
        },
      );
      return { code, stdout: stdout.toString(), stderr };
    };
    expect(await run("--init", ...told.slice(0, 2))).toMatchObject({ code: 0, stdout: "init\n" });
    expect(await run("--init", "--init-path", "/no/such")).toMatchObject({ code: 125 });
    for (const [args, message] of [
      [told.slice(2, 4), "--bridge-subnet: "],
      [["--bridge-name", "a bridge"], "--bridge-name: "],
      [["--cni-plugins", "relative"], "--cni-plugins: "],
      [["--init-path", "tini"], "--init-path: "],
      [["--userns-range", "few"], "--userns-range: "],
      [["--net", "bridge", "--cni-plugins", "/no/such"], "/no/such"],
    ] as const) {
      expect(await run(...args)).toMatchObject({ code: 125, stderr: expect.stringContaining(message) });
    }
  });

  test("a second one kills it", async () => {
    const step = start(
      [
        ...at(),
        "run",
        "busybox",
        "sh",
        "-c",
        "trap 'echo asked' TERM; echo on; while :; do sleep 0.05; done",
      ],
      { env: env() },
    );
    await step.printed("on");
    step.child.kill("SIGINT");
    await step.printed("asked");
    step.child.kill("SIGTERM");
    expect((await step.finished).code).toBe(137);
  });

  test("a reader that leaves ends it, as it would any program", async () => {
    const before = await daemon_.inventory();
    // Slowly: what nobody reads is stored, and must not fill the disk of a machine where the reader is late.
    const script = "while echo y; do sleep 0.01; done";
    const step = start([...at(), "run", "busybox", "sh", "-c", script], { env: env() });
    await step.printed("y");
    step.child.stdout?.destroy();
    expect(await step.finished).toMatchObject({ code: 141, stderr: "" });
    await daemon_.expectNothingLeft(before);
  });

  test("output that cannot be written ends it, and is said", async () => {
    const args = [...at(), "run", "busybox", "sh", "-c", "echo on; exec sleep 600"];
    const { code, stderr } = await start(args, { env: env(), stdoutFile: "/dev/full" }).finished;
    expect({ code, stderr }).toEqual({
      code: 125,
      stderr: expect.stringMatching(/^wfe-containerd: the output cannot be written: ENOSPC/),
    });
  });
});

describe("step", () => {
  const PIPELINE = `
steps:
  - name: one
    image: busybox
    run: echo "##wfe[output release=1.2.3]"
  - name: two
    image: busybox
    run: echo "got $ONE_OUTPUTS_RELEASE and $EXTRA, after $ONE_EXIT_CODE"
`;

  test("runs steps in order, each with the outputs of those before", async () => {
    const { code, stdout } = await call(
      [...at(), "step", await file("pipeline.yaml", PIPELINE), "-d", "extra=more"],
      { env: env() },
    );
    expect(code).toBe(0);
    expect(stdout.toString()).toBe("##wfe[output release=1.2.3]\ngot 1.2.3 and more, after 0\n");
  });

  test("logs of earlier steps are no data of later ones, however long they are", async () => {
    const run = (at: number): string =>
      `env | grep -c _STDOUT || true; head -c ${at < 8 ? 100_000 : 125_000} /dev/zero | tr '\\0' x`;
    const steps = Array.from({ length: 24 }, (_, at) => ({ name: `s${at}`, image: "busybox", run: run(at) }));
    const { code, stdout, stderr } = await call([...at(), "step", "-", "--output", "json"], {
      env: env(),
      input: JSON.stringify({ steps }),
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const results = JSON.parse(stdout.toString()) as { stdout: string }[];
    expect(results).toHaveLength(24);
    for (const { stdout: log } of results) expect(log).toMatch(/^0\nx+$/);
  });

  test("logs go on as data where that is asked for; what is too long is said", async () => {
    const input = JSON.stringify({
      steps: [
        { name: "short", image: "busybox", run: "echo out; echo err >&2" },
        { name: "long", image: "busybox", run: "head -c 140000 /dev/zero | tr '\\0' x" },
        { name: "last", image: "busybox", run: 'echo "$SHORT_STDOUT $SHORT_STDERR ${LONG_STDOUT-none}"' },
      ],
    });
    const { stdout, stderr } = await call([...at(), "step", "-", "--data-logs", "--output", "json"], {
      env: env(),
      input,
    });
    expect(JSON.parse(stdout.toString())[2]).toMatchObject({ exitCode: 0, stdout: "out\n err\n none\n" });
    expect(stderr).toBe(
      "wfe-containerd: step long: later steps do not get $LONG_STDOUT, because the value is longer than 128 KiB\n",
    );
  });

  test("values of variables are the text as written", async () => {
    const input =
      "{name: a, image: busybox, env: {V: 1.10, M: 0123, N: 12345678901234567890, H: 0xFF, T: True, E:}, run: 'echo $V $M $N $H $T [$E]'}";
    const { stdout } = await call([...at(), "step", "-"], { env: env(), input });
    expect(stdout.toString()).toBe("1.10 0123 12345678901234567890 0xFF True []\n");
  });

  test("prints results as JSON", async () => {
    const { stdout } = await call([...at(), "step", "-", "--output", "json"], {
      env: env(),
      input: PIPELINE,
    });
    expect(JSON.parse(stdout.toString())).toMatchObject([
      { name: "one", exitCode: 0, outputs: { release: "1.2.3" } },
      { name: "two", exitCode: 0, cause: "exit" },
    ]);
  });

  test("stops at the first that fails, with its code", async () => {
    const steps = {
      steps: [
        { name: "a", image: "busybox", run: "exit 4" },
        { name: "b", image: "busybox", run: "echo never" },
      ],
    };
    const { code, stdout } = await call([...at(), "step", await file("fail.json", JSON.stringify(steps))], {
      env: env(),
    });
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 4, stdout: "" });
  });

  test.each([
    ["name: [", /line 1/],
    ["just text", /does not contain a step/],
    ["steps: []", /steps: is not a list, or is empty/],
    ["- name: a\n  image: b", /the file contains a list; put the list under the key steps:/],
    ["steps: [{name: a, image: b}]\nname: x", /the key name is not allowed next to steps/],
    ["name: a\nimage: busybox\nvolums: []", /did you mean volumes/],
    ["name: a\nimage: b\nenv:\n  A: 1\n  A: 2", /"A" is given twice, the second time in line 5/],
    [`name: a\nimage: b\nsysctls: { "net.\\e[31m": "1" }\n"x\\e[2J": 1`, /x\\x1b\[2J: is an unknown field/],
    ["name: a\nimage: busybox\nsteps:\n  - {name: a}", /is not allowed next to steps/],
    [
      "steps: [{name: a-b, image: c}, {name: A.b, image: c}]",
      /steps\[1\]: name: A\.b and a-b would give their outputs the same variable names/,
    ],
  ])("refuses %j before anything runs", async (contents, message) => {
    const { code, stdout, stderr } = await call([...at(), "step", "-"], { env: env(), input: contents });
    expect({ code, stdout: stdout.toString() }).toEqual({ code: 125, stdout: "" });
    expect(stderr).toMatch(message);
    expect(stderr).not.toContain("\x1b");
  });
});

test("each step of a file gets the secrets that it names", async () => {
  const steps = await file(
    "secrets.yaml",
    `steps:
  - {name: a, image: busybox, run: "ls /run/secrets", secrets: [one]}
  - {name: b, image: busybox, run: "ls /run/secrets", secrets: [{name: two, mask: false}]}
`,
  );
  const secret = await file("secret", "x");
  const flags = ["--secret", `id=one,src=${secret}`, "--secret", `id=two,src=${secret}`];
  const { stdout, code } = await call([...at(), "step", steps, ...flags], { env: env() });
  expect({ code, stdout: stdout.toString() }).toEqual({ code: 0, stdout: "one\ntwo\n" });
  const without = await call([...at(), "step", steps], { env: env() });
  expect(without).toMatchObject({ code: 125, stderr: expect.stringContaining("secrets[0]") });
});

test("a step file gets what the policy allows, and is told which key would allow more", async () => {
  const step = await file(
    "volume.yaml",
    `name: v\nimage: busybox\nrun: ls /files/policy.yaml\nvolumes: ["${files}:/files:ro"]\n`,
  );
  const policy = await file("policy.yaml", `mount_sources: ["${files}"]\n`);
  const refused = await call([...at(), "step", step], { env: env() });
  expect(refused.code).toBe(125);
  expect(refused.stderr).toMatch(
    /volume\.yaml: line 4: volumes\[0\]\.source: .*by the policy.s mount_sources/,
  );
  const allowed = await call([...at(), "step", step, "--policy", policy], { env: env() });
  expect({ ...allowed, stdout: allowed.stdout.toString() }).toMatchObject({
    code: 0,
    stdout: "/files/policy.yaml\n",
    stderr: "",
  });
  const wrong = await call([...at(), "step", step, "--policy", await file("wrong.yaml", "mount_source: []")]);
  expect(wrong.stderr).toMatch(/did you mean mount_sources/);
});

test("import, images, version and schema", async () => {
  const archive = join(files, "busybox.tar");
  await writeFile(archive, await busyboxArchive("example.com/tools/busybox:1"));
  const imported = await call([...at(), "--format", "json", "import", archive]);
  expect(JSON.parse(imported.stdout.toString())).toMatchObject([{ name: "example.com/tools/busybox:1" }]);
  const images = await call([...at(), "images"]);
  expect(images.stdout.toString()).toMatch(
    /^NAME +DIGEST +PACKED +UNPACKED +CREATED\nbusybox +sha256:\w+ .*\nexample\.com\/tools\/busybox:1 /,
  );
  const version = await call([...at(), "--format", "json", "version"]);
  expect(JSON.parse(version.stdout.toString())).toMatchObject({
    daemon: { version: daemon_.daemon.version },
  });
  const schema = await call(["schema"]);
  expect(JSON.parse(schema.stdout.toString())).toMatchObject({
    $id: expect.stringContaining("step-file"),
    type: "object",
    $defs: { step: { required: ["name", "image"] } },
  });
});

test("WFE_DEBUG prints what happens on standard error, and a wrong value is refused", async () => {
  const run = [...at(), "run", "busybox", "echo", "secret-canary-output"];
  // What prints these lines stays on for as long as its process.
  const debug = (topics: string): Promise<Finished> =>
    start(run, { env: { ...env(), WFE_DEBUG: topics } }).finished;
  const all = await debug("1");
  expect(all.stdout.toString()).toBe("secret-canary-output\n");
  const line = /^wfe-containerd \d\d:\d\d:\d\d\.\d{3} (rpc|step) .+$/;
  const lines = all.stderr.trimEnd().split("\n");
  for (const each of lines) expect(each).toMatch(line);
  expect(lines).toContainEqual(expect.stringMatching(/ rpc Tasks\.Create, namespace \S+, [\d.]+ m?s$/));
  expect(lines).toContainEqual(
    expect.stringMatching(/ step wfe-\w+ "run", image .+, cause exit, exit code 0, ran .+, [\d.]+ m?s$/),
  );
  expect(all.stderr).not.toContain("canary");
  const steps = await debug("step");
  expect(steps.stderr).not.toContain(" rpc ");
  expect(steps.stderr).toMatch(/ step wfe-\w+ running, [\d.]+ m?s$/m);
  const { code, stderr } = await debug("rcp");
  expect({ code, stderr }).toEqual({
    code: 125,
    stderr:
      'wfe-containerd: WFE_DEBUG: unknown topic "rcp"; did you mean rpc?; allowed: 1 for everything, or a list of rpc, registry, step, for example WFE_DEBUG=rpc,step\n',
  });
});

test("--format stands before or behind each command that prints a list; --version", async () => {
  for (const command of [["ps"], ["images"], ["volume", "ls"], ["version"], ["prune", "--dry-run"]]) {
    const before = await call([...at(), "--format", "json", ...command]);
    const behind = await call([...at(), ...command, "--format", "json"]);
    expect(behind, command.join(" ")).toEqual(before);
    JSON.parse(behind.stdout.toString());
    const table = await call([...at(), "--format", "json", ...command, "--format=table"]);
    expect(() => JSON.parse(table.stdout.toString())).toThrow();
  }
  for (const flag of ["--version", "-v"])
    expect((await call([flag])).stdout.toString()).toMatch(/^wfe-containerd \d+\.\d+\.\d+\n$/);
});

test("a step that runs out of time is no success, though it ends with 0", async () => {
  const script = "trap 'exit 0' TERM; while :; do sleep 0.05; done";
  // Long enough for the shell to come to its first command.
  const flags = ["--timeout", "10s", "--stop-timeout", "300"];
  const { code, stderr } = await call([...at(), "run", ...flags, "busybox", "sh", "-c", script], {
    env: env(),
  });
  expect({ code, stderr }).toEqual({
    code: 124,
    stderr: "wfe-containerd: step run: ran longer than its time-out\n",
  });
});

test("a daemon that is not there is said plainly", async () => {
  const { code, stderr } = await call(["--address", join(files, "no.sock"), "images"]);
  expect(code).toBe(125);
  expect(stderr).toMatch(
    /^wfe-containerd: list images: the socket .* does not exist: is containerd running.*\n$/,
  );
});

test("what an executor left that was killed is listed, and collected; what lives stays", async () => {
  const living = start(
    [
      ...at(),
      "run",
      "--name",
      "living",
      "--stop-timeout",
      "0s",
      "busybox",
      "sh",
      "-c",
      "echo on; exec sleep 600",
    ],
    { env: env() },
  );
  await living.printed("on");
  const dead = start([...at(), "run", "--name", "dead", "busybox", "sh", "-c", "echo on; exec sleep 600"], {
    env: env(),
  });
  await dead.printed("on");
  dead.child.kill("SIGKILL");
  await dead.finished;

  const list = async (): Promise<{ id: string; step: string; status: string }[]> =>
    JSON.parse((await call([...at(), "--format", "json", "ps"])).stdout.toString());
  const before = await list();
  expect(before.map(({ step, status }) => `${step} ${status}`).toSorted()).toEqual([
    "dead running",
    "living running",
  ]);
  const deadId = before.find(({ step }) => step === "dead")?.id;
  // Without the temporary directories that other suites leave.
  const gc = async (...flags: string[]): Promise<{ kind: string; id: string }[]> => {
    const { stdout } = await call([...at(), "gc", "--format", "json", ...flags]);
    return JSON.parse(stdout.toString()).filter(({ id }: { id: string }) => id === deadId);
  };
  const planned = await gc("--dry-run");
  expect(await list()).toEqual(before);
  const collected = await gc();
  expect(collected).toEqual(planned);
  expect(collected).toMatchObject([
    { kind: "task", reason: expect.stringMatching(/^its executor, process \d+ on .*, has ended$/) },
    { kind: "container" },
    { kind: "snapshot" },
    { kind: "lease" },
  ]);
  const [left, ...others] = await list();
  expect([left?.step, others]).toEqual(["living", []]);

  const removed = await call([...at(), "rm", left?.id ?? ""]);
  expect(removed.stdout.toString().trim()).toBe(left?.id);
  await living.finished;
  expect(await readdir(daemon_.ioDir)).toEqual([]);
  expect((await call([...at(), "rm", "no-such-step"])).code).toBe(125);
});

test("run ends soon after its time-out though the daemon is gone, and gc ends what is left, or says why not (F4, F20)", async () => {
  const { daemon, client } = daemon_;
  // Long enough for the daemon to be killed before.
  const flags = ["--timeout", "15s", "--stop-timeout", "1"];
  const args = ["run", ...flags, "busybox", "sh", "-c", "echo on; exec sleep 600"];
  const run = start([...at(), ...args], { env: env() });
  await run.printed("on");
  const [step] = await client.tasks.list();
  const { id = "", pid = 0 } = step ?? {};
  daemon.kill("SIGKILL");
  const { code, stderr } = await run.finished;
  expect(code).toBe(125);
  expect(stderr).toMatch(/^wfe-containerd: the daemon is away; waiting for it: /);
  expect(stderr).toMatch(new RegExp(`container ${id}.* may still run`));
  expect(stderr).toMatch(
    new RegExp(`not removed yet: task ${id}, container ${id}, .*\`wfe-containerd gc\` removes it later`),
  );
  await daemon.restart();

  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const shim = Number(/^PPid:\s*(\d+)$/m.exec(status)?.[1]);
  await pauseProcess(shim);
  // In a process of its own: a process knows which steps its own executors have left.
  const failed = await start([...at(), "gc"]).finished;
  process.kill(shim, "SIGCONT");
  expect(failed.code).toBe(1);
  expect(failed.stdout.toString()).not.toContain(id);
  expect(failed.stderr).toMatch(
    new RegExp(`^wfe-containerd: task ${id} is left: container ${id} could not be killed`),
  );
  expect(failed.stderr).toContain(`container ${id} is left: it is kept as long as the task ${id} is there\n`);
  const collected = await call([...at(), "gc"]);
  expect(collected.code).toBe(0);
  expect(collected.stdout.toString()).toMatch(
    new RegExp(`^KIND +ID +REASON\ntask +${id} +its executor, process `),
  );
  expect((await call([...at(), "gc"])).stdout.toString()).not.toContain(id);
});

test.each([
  ["--tls-ca", "none", /^wfe-containerd: --tls-ca: cannot read \S+none: ENOENT, the file does not exist\n$/],
  [
    "--tls-ca",
    "plain.pem",
    /^wfe-containerd: --tls-ca \S+plain\.pem: the file .*allowed: the contents of a PEM file/,
  ],
  ["--tls-ca", "bad.pem", /^wfe-containerd: --tls-ca \S+bad\.pem: the file cannot be read; allowed: .*PEM/],
])("%s names the file %s that cannot be used", async (flag, name, message) => {
  await file("plain.pem", "hello\n");
  await file("bad.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  const args = ["--address", "https://127.0.0.1:1", flag, join(files, name), "images"];
  const { code, stdout, stderr } = await call(args);
  expect({ code, stdout: stdout.toString() }).toEqual({ code: 125, stdout: "" });
  expect(stderr).toMatch(message);
});

test("import names a directory as what it is", async () => {
  const { code, stderr } = await call([...at(), "import", files]);
  expect({ code, stderr }).toEqual({
    code: 125,
    stderr: `wfe-containerd: ${files} is a directory; allowed: a tar archive, for example made by: tar -C ${files} -cf image.tar .\n`,
  });
});

test("daemon runs a private containerd until it is told to stop, and leaves nothing", async () => {
  const running = start(["daemon"]);
  await running.printed("containerd.sock\n");
  running.child.kill("SIGINT");
  const { code, stdout, stderr } = await running.finished;
  expect(code).toBe(0);
  const address = stdout.toString().trim();
  expect(stderr).toContain(address);
  await using client = createClient({ address });
  await expect(client.version()).rejects.toMatchObject({ kind: "unavailable" });
});
