import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { actUntil, call, MAIN, start, startProgram, type Told, told } from "./command.js";

const daemon_ = useDaemon();

const at = (): string[] => ["--address", daemon_.daemon.address, "--namespace", daemon_.client.namespace];
const env = (): NodeJS.ProcessEnv => ({ WFE_IO_DIR: daemon_.ioDir });

const cli = async (...args: string[]): Promise<Told> => told(await call([...at(), ...args], { env: env() }));
const withInput = async (input: string | Uint8Array, ...args: string[]): Promise<Told> =>
  told(await start([...at(), ...args], { env: env(), input }).finished);

/** What a person does at a terminal: waits for a text, and types. */
type Typing = readonly (readonly [seen: string, typed: string])[];

/** Runs the command on a terminal of its own. The last line says whether Ctrl-C is a signal there again. */
async function onTerminal(typing: Typing, ...args: string[]): Promise<Told> {
  const command = [process.execPath, MAIN, ...at(), ...args].map((word) => `'${word}'`).join(" ");
  const line = `stty cols 70 rows 20; ${command}; code=$?; stty -a | grep -o '[-]*isig'; exit $code`;
  const script = ["--quiet", "--return", "--command", line, "/dev/null"];
  const terminal = startProgram("script", script, { env: env(), keepsInput: true });
  for (const [seen, typed] of typing) {
    await terminal.printed(seen);
    terminal.child.stdin?.write(typed);
  }
  return told(await terminal.finished);
}

const linesOf = (screen: string): string[] => screen.split(/[\r\n]+/).filter((line) => line !== "");

afterEach(async () => {
  const { stdout } = await cli("ps", "-aq");
  const ids = stdout.split("\n").filter((id) => id !== "");
  if (ids.length > 0) await cli("rm", "-f", ...ids);
});

describe("standard input", () => {
  test("is passed on to its end, byte for byte, in run and in exec", async () => {
    const bytes = randomBytes(3_000_000).toString("latin1");
    const hash = createHash("sha256").update(bytes).digest("hex");
    expect(await withInput(bytes, "run", "-i", "busybox", "sha256sum")).toEqual({
      code: 0,
      stdout: `${hash}  -\n`,
      stderr: "",
    });
    await cli("run", "-d", "--name", "host", "busybox", "sleep", "1000");
    expect((await withInput(bytes, "exec", "-i", "host", "sha256sum")).stdout).toBe(`${hash}  -\n`);
    // Without -i nothing is read, as in docker.
    expect((await withInput("hello\n", "exec", "host", "cat")).stdout).toBe("");
    // A process that ends first does not wait for the rest.
    expect((await withInput(bytes, "run", "-i", "busybox", "head", "-c", "1")).code).toBe(0);
  });

  test("of a pipe is no terminal", async () => {
    expect(await withInput("", "run", "-it", "busybox", "sh")).toMatchObject({
      code: 125,
      stderr: expect.stringMatching(
        /^wfe-containerd: --tty: standard input is not a terminal; allowed: -i alone/,
      ),
    });
    const { stdout } = await withInput("", "run", "-t", "busybox", "sh", "-c", "tty; echo two >&2");
    expect(stdout).toBe("/dev/pts/0\r\ntwo\r\n");
  });
});

describe("a terminal", () => {
  test("is the step's while it runs, and afterwards as it was", async () => {
    // The text comes from the process that Ctrl-C ends. Between two commands, the shell would take it.
    const typing = [
      [" $ ", `stty size; tty; sh -c 'echo wait""ing; exec sleep 1000'\n`],
      ["waiting", "\x03"],
      ["^C", "echo code $?; exit 3\n"],
    ] as const;
    const { code, stdout } = await onTerminal(typing, "run", "-it", "busybox", "sh");
    expect(code).toBe(3);
    expect(linesOf(stdout)).toEqual(expect.arrayContaining(["20 70", "/dev/pts/0", "code 130"]));
    expect(linesOf(stdout).at(-1)).toBe("isig");
  });

  test("is that of a process in a running step, too", async () => {
    await cli("run", "-d", "--name", "host", "-e", "A=1", "busybox", "sleep", "1000");
    const typing = [[" $ ", "stty size; echo $A$B; id -u; exit 4\n"]] as const;
    const args = ["exec", "-it", "-e", "B=2", "-u", "7", "host", "sh"];
    const { code, stdout } = await onTerminal(typing, ...args);
    expect(code).toBe(4);
    expect(linesOf(stdout)).toEqual(expect.arrayContaining(["20 70", "12", "7"]));
  });
});

describe("a step that is left", () => {
  test("prints its id, goes on, and is followed, entered, stopped and removed by its name", async () => {
    const script =
      "trap 'echo bye; exit 6' TERM; trap 'echo again' USR1; echo one; echo two >&2; while :; do sleep 0.05; done";
    const left = await cli("run", "-d", "--name", "server", "busybox", "sh", "-c", script);
    expect(left).toMatchObject({ code: 0, stderr: "" });
    const id = left.stdout.trim();
    expect(id).toMatch(/^wfe-[0-9a-f]{20}$/);
    expect(await cli("ps", "--format", "{{.ID}} {{.Status}} {{.Executor}}")).toMatchObject({
      stdout: `${id} running left\n`,
    });
    expect(await cli("exec", "server", "sh", "-c", "exit 9")).toEqual({ code: 9, stdout: "", stderr: "" });
    const following = start([...at(), "logs", "-f", "server"], { env: env() });
    const attached = start([...at(), "attach", "server"], { env: env() });
    await following.printed("one\n");
    await expect.poll(async () => (await cli("logs", "server")).stderr).toBe("two\n");
    expect(await cli("run", "-d", "--name", "server", "busybox", "true")).toMatchObject({
      code: 125,
      stderr: expect.stringMatching(/^wfe-containerd: --name: step wfe-\w+ has the name "server" already/),
    });

    await actUntil(attached.printed("again\n"), () => cli("kill", "-s", "USR1", "server"));
    expect(await cli("stop", "-t", "300", "server")).toMatchObject({ code: 0, stdout: "server\n" });
    expect(told(await following.finished)).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^one\n(again\n)+bye\n$/),
      stderr: "two\n",
    });
    expect(told(await attached.finished)).toEqual({
      code: 6,
      stdout: expect.stringMatching(/^(again\n)+bye\n$/),
      stderr: "",
    });
    expect((await cli("ps", "-q")).stdout).toBe("");
    expect((await cli("ps", "-a", "--format", "status,exitCode")).stdout).toBe("stopped\t6\n");
    expect((await cli("ps", "-a")).stdout).toContain("stopped (6)");
    expect(await cli("logs", "--tail", "1", "server")).toEqual({
      code: 0,
      stdout: "bye\n",
      stderr: "two\n",
    });
    expect((await cli("logs", "-n", "0", "server")).stdout).toBe("");
    expect((await cli("wait", "server")).stdout).toBe("6\n");
    expect((await cli("gc")).code).toBe(0);
    expect((await cli("ps", "-aq")).stdout).toBe(`${id}\n`);
    expect(await cli("exec", "server", "true")).toMatchObject({
      code: 125,
      stderr: "wfe-containerd: step server does not run: its status is stopped\n",
    });
    expect(await cli("rm", "server")).toEqual({ code: 0, stdout: "server\n", stderr: "" });
  });

  /** Starts a step that prints `again` at SIGUSR1, and ends with 6 at SIGTERM. It goes when it has ended. */
  async function startRemoved(): Promise<string> {
    const script = "trap 'exit 6' TERM; trap 'echo again' USR1; while :; do sleep 0.05; done";
    return (await cli("run", "-d", "--rm", "--name", "gone", "busybox", "sh", "-c", script)).stdout.trim();
  }

  test("with --rm is removed by the stop and the kill that end it, and who follows it gets its true end", async () => {
    const before = await daemon_.inventory();
    for (const [args, code] of [
      [["stop", "-t", "300"], 6],
      [["kill"], 137],
    ] as const) {
      await startRemoved();
      const following = ["logs", "attach", "attach"].map((command) =>
        start([...at(), command, ...(command === "logs" ? ["-f"] : []), "gone"], { env: env() }),
      );
      for (const each of following)
        await actUntil(each.printed("again\n"), () => cli("kill", "-s", "USR1", "gone"));
      expect(await cli(...args, "gone")).toEqual({ code: 0, stdout: "gone\n", stderr: "" });
      expect((await cli("ps", "-aq")).stdout).toBe("");
      const ends = await Promise.all(following.map(({ finished }) => finished));
      expect(ends.map(({ code: ended, stderr }) => ({ ended, stderr }))).toEqual([
        { ended: 0, stderr: "" },
        { ended: code, stderr: "" },
        { ended: code, stderr: "" },
      ]);
      await daemon_.expectNothingLeft(before);
    }
  });

  test("with --rm is removed by whoever sees its end: wait, attach and logs -f", async () => {
    const before = await daemon_.inventory();
    for (const [args, code, told_] of [
      [["wait", "gone"], 0, "6\n"],
      [["attach", "gone"], 6, "again\n"],
      [["logs", "-f", "gone"], 0, "again\n"],
    ] as const) {
      const id = await startRemoved();
      const seeing = start([...at(), ...args], { env: env() });
      if (args[0] !== "wait")
        await actUntil(seeing.printed("again\n"), () => cli("kill", "-s", "USR1", "gone"));
      await daemon_.client.tasks.kill(id, "TERM");
      const { code: ended, stdout } = await seeing.finished;
      expect({ ended, stdout: stdout.toString().replace(/(again\n)+/, "again\n") }).toEqual({
        ended: code,
        stdout: told_,
      });
      await daemon_.expectNothingLeft(before);
    }
  });

  test("with --rm is removed by gc if nobody has seen its end; with -it it waits at a terminal", async () => {
    const short = (await cli("run", "-d", "--rm", "--name", "short", "busybox", "true")).stdout.trim();
    const { stdout } = await onTerminal([], "run", "-dit", "--name", "shell", "busybox", "sh");
    expect(stdout).toMatch(/^wfe-[0-9a-f]{20}\r\n/);
    await daemon_.client.tasks.wait(short);
    expect((await cli("ps", "-aq", "--filter", "name=short")).stdout).toBe(`${short}\n`);
    await cli("gc");
    expect((await cli("ps", "-a", "--format", "{{.Names}} {{.Status}}")).stdout).toBe("shell running\n");
    expect((await cli("exec", "shell", "sh", "-c", "stty size < /proc/1/fd/0")).stdout).toBe("20 70\n");
  });

  test("with --rm gives its name back when it has ended, and not before", async () => {
    const again = (): Promise<Told> =>
      cli("run", "-d", "--rm", "--name", "again", "busybox", "sleep", "1000");
    const first = await cli("run", "-d", "--rm", "--name", "again", "busybox", "true");
    expect(await daemon_.client.tasks.wait(first.stdout.trim())).toMatchObject({ exitCode: 0 });
    const second = await again();
    expect(second).toMatchObject({ code: 0, stderr: "" });
    expect((await cli("ps", "-aq")).stdout).toBe(second.stdout);
    const refused = {
      code: 125,
      stdout: "",
      stderr: expect.stringMatching(/^wfe-containerd: --name: step wfe-\w+ has the name "again" already/),
    };
    expect(await again()).toMatchObject(refused);
    expect(await cli("run", "--name", "again", "busybox", "echo", "hi")).toMatchObject(refused);
    await daemon_.client.tasks.kill(second.stdout.trim(), "KILL");
    await daemon_.client.tasks.wait(second.stdout.trim());
    expect((await cli("run", "--name", "again", "busybox", "echo", "hi")).stdout).toBe("hi\n");
    expect((await cli("ps", "-aq")).stdout).toBe("");
  });

  test("takes input from those who attach, one after the other, and stays open", async () => {
    await cli(
      "run",
      "-d",
      "-i",
      "--name",
      "cat",
      "busybox",
      "sh",
      "-c",
      "while read -r a; do echo got $a; done",
    );
    for (const word of ["one", "two"]) {
      const attached = start([...at(), "attach", "--no-sig-proxy", "cat"], {
        env: env(),
        input: `${word}\n`,
      });
      await attached.printed(`got ${word}\n`);
      attached.child.kill("SIGINT");
      expect(told(await attached.finished)).toEqual({ code: 130, stdout: `got ${word}\n`, stderr: "" });
    }
    expect((await cli("attach", "--detach-keys", "ab", "cat")).stderr).toMatch(
      /--detach-keys: "ab" is no key/,
    );
    expect((await cli("logs", "cat")).stdout).toBe("got one\ngot two\n");
  });

  test("is left by Ctrl-P Ctrl-Q at its terminal, and gets it back by attach", async () => {
    const typing = [
      [" $ ", "A=1; echo o${A}ne\n"],
      ["o1ne", "\x10\x11"],
    ] as const;
    const ran = await onTerminal(typing, "run", "-it", "--name", "shell", "busybox", "sh");
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining("wfe-containerd: step wfe-") });
    expect(linesOf(ran.stdout).at(-1)).toBe("isig");
    expect((await cli("ps", "--format", "{{.Names}} {{.Status}} {{.Executor}}")).stdout).toBe(
      "shell running left\n",
    );
    const left = await onTerminal(
      [
        ["", "echo t${A}wo\n"],
        ["t1wo", "\x18"],
      ],
      "attach",
      "--detach-keys",
      "ctrl-x",
      "shell",
    );
    expect(left).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(" goes on; attach returns to it"),
    });
    const ended = await onTerminal([["", "exit 5\n"]], "attach", "shell");
    expect(ended.code).toBe(5);
    expect(linesOf(ended.stdout).at(-1)).toBe("isig");
    expect((await cli("ps", "-a", "--format", "{{.Names}} {{.ExitCode}}")).stdout).toBe("shell 5\n");
  });

  test("takes commands that are left to themselves in it: exec -d prints nothing", async () => {
    await cli("run", "-d", "--name", "host", "-e", "A=1", "busybox", "sleep", "1000");
    const script = "echo lost; until [ -e /tmp/go ]; do sleep 0.05; done; echo $A$B $(id -u) > /tmp/done";
    const left = await cli("exec", "-d", "-e", "B=2", "-u", "7", "-w", "/tmp", "host", "sh", "-ec", script);
    expect(left).toEqual({ code: 0, stdout: "", stderr: "" });
    await cli("exec", "-u", "7", "host", "touch", "/tmp/go");
    await expect.poll(async () => (await cli("exec", "host", "cat", "/tmp/done")).stdout).toBe("12 7\n");
    expect(await cli("logs", "host")).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(await cli("exec", "-d", "host", "/none")).toMatchObject({ code: 127, stdout: "" });
  });

  test("what cannot go together is told in one sentence", async () => {
    for (const [args, message] of [
      [
        ["run", "-it", "--detach-keys", "ab", "busybox", "sh"],
        /^wfe-containerd: --tty: standard input is not/,
      ],
      [["attach", "--detach-keys", "ab", "x"], /^wfe-containerd: there is no step "x"/],
      [
        ["run", "-d", "--retry", "2", "busybox", "true"],
        /^wfe-containerd: --detach: .* with --retry: nobody/,
      ],
      [["exec", "-d", "-i", "x", "true"], /^wfe-containerd: --detach: .* with -i: nobody would be at/],
      [["exec", "-d", "--timeout", "1s", "x", "true"], /^wfe-containerd: --detach: .* with --timeout: /],
      [["exec", "--privileged", "x", "true"], /^wfe-containerd: --privileged: /],
      [["logs", "-t", "x"], /^wfe-containerd: --timestamps: the times of a step's output are not stored;/],
      [["logs", "--since", "5m", "x"], /^wfe-containerd: --since: /],
      [["logs", "--tail", "few", "x"], /^wfe-containerd: --tail: "few" is not a number of lines; allowed:/],
      [["logs", "none"], /^wfe-containerd: there is no step "none"/],
      [["exec", "none", "true"], /^wfe-containerd: there is no step "none"/],
    ] as const)
      expect(await cli(...args), args.join(" ")).toMatchObject({
        code: 125,
        stdout: "",
        stderr: expect.stringMatching(message),
      });
  });
});

describe("cp", () => {
  let files: string;

  beforeEach(async () => {
    files = await mkdtemp(join(tmpdir(), "test-cp-"));
    await cli("run", "-d", "--name", "host", "--user", "7:7", "busybox", "sleep", "1000");
  });
  afterEach(() => rm(files, { recursive: true }));

  const inStep = async (script: string): Promise<string> =>
    (await cli("exec", "host", "sh", "-c", script)).stdout;

  test("takes files and directories in, under docker's names", async () => {
    await mkdir(join(files, "src/deep"), { recursive: true });
    await writeFile(join(files, "src/deep/file"), "hello\n", { mode: 0o640 });
    for (const [from, to] of [
      ["src", "host:/tmp"],
      ["src", "host:/tmp/renamed"],
      ["src/.", "host:/tmp/contents"],
      ["src/deep/file", "host:/tmp/file"],
      ["src/deep/file", "host:/tmp/src/"],
    ] as const)
      expect(await cli("cp", join(files, from), to), `${from} ${to}`).toEqual({
        code: 0,
        stdout: "",
        stderr: "",
      });
    expect(await inStep("cd /tmp; find . -type f | sort; stat -c '%u %a' file")).toBe(
      "./contents/deep/file\n./file\n./renamed/deep/file\n./src/deep/file\n./src/file\n7 640\n",
    );
  });

  test("takes them out, and archives on standard input and output", async () => {
    await inStep("mkdir -p /tmp/out/deep; echo hi > /tmp/out/deep/file; chmod 6755 /tmp/out/deep/file");
    for (const [from, to] of [
      ["host:/tmp/out", ""],
      ["host:tmp/out", "renamed"],
      ["host:/tmp/out/.", "contents"],
      ["host:/tmp/out/deep/file", "file"],
    ] as const)
      expect(await cli("cp", from, join(files, to)), `${from} ${to}`).toEqual({
        code: 0,
        stdout: "",
        stderr: "",
      });
    for (const path of ["out/deep/file", "renamed/deep/file", "contents/deep/file", "file"])
      expect(await readFile(join(files, path), "utf8"), path).toBe("hi\n");
    // What a step made must not be a program that others run as its owner.
    expect((await stat(join(files, "file"))).mode & 0o7000).toBe(0);
    expect((await readdir(files)).toSorted()).toEqual(["contents", "file", "out", "renamed"]);
    const archive = (await call([...at(), "cp", "host:/tmp/out", "-"], { env: env() })).stdout;
    await inStep("mkdir /tmp/again");
    expect((await withInput(archive, "cp", "-", "host:/tmp/again")).code).toBe(0);
    expect(await inStep("cat /tmp/again/out/deep/file")).toBe("hi\n");
  });

  test("leaves no link of the step that leads out of where it writes, and tells what is wrong", async () => {
    await inStep("mkdir /tmp/trap; ln -s /etc /tmp/trap/link; touch /tmp/trap/file");
    expect((await cli("cp", "host:/tmp/trap", files)).code).toBe(0);
    for (const [args, message] of [
      [["cp", "host:/none", files], /^wfe-containerd: cp: in the step: tar: none: [^;\\]+\n$/],
      [["cp", join(files, "none"), "host:/tmp"], /^wfe-containerd: cp: .*none cannot be read: ENOENT/],
      [["cp", "host:/tmp/trap", join(files, "no/such")], /^wfe-containerd: cp: .* cannot be written: ENOENT/],
      [["cp", files, "host:/root/x/y"], /^wfe-containerd: cp: in the step: tar: /],
      [["cp", "a", "b"], /^wfe-containerd: cp: one of the two must be in a step/],
      [["cp", "host:", "b"], /^wfe-containerd: host:: the path is missing/],
      [["cp", "none:/a", "b"], /^wfe-containerd: there is no step "none"/],
    ] as const)
      expect(await cli(...args), args.join(" ")).toMatchObject({
        code: 125,
        stderr: expect.stringMatching(message),
      });
  });
});

test("the log of a step that another command runs is followed; the end of the following is not its end", async () => {
  const script = "trap 'echo again' USR1; echo on; while :; do sleep 0.05; done";
  const flags = ["--name", "busy", "--stop-timeout", "0"];
  const running = start([...at(), "run", ...flags, "busybox", "sh", "-c", script], { env: env() });
  await running.printed("on\n");
  const following = start([...at(), "logs", "-f", "busy"], { env: env() });
  await following.printed("on\n");
  following.child.kill("SIGINT");
  expect((await following.finished).code).toBe(130);
  const attached = start([...at(), "attach", "--no-sig-proxy", "busy"], { env: env() });
  await actUntil(attached.printed("again\n"), () => cli("kill", "-s", "USR1", "busy"));
  attached.child.kill("SIGTERM");
  expect((await attached.finished).code).toBe(143);
  expect((await cli("ps", "--format", "{{.Names}} {{.Status}}")).stdout).toBe("busy running\n");
  running.child.kill("SIGTERM");
  await running.finished;
});
