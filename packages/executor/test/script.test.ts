import { createExecutor, type StepInput } from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { expect, test } from "vitest";

const at = useDaemon();

async function run(step: Partial<StepInput>) {
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
  const { exitCode, stdout, stderr } = await executor.run({
    name: "script",
    image: "busybox",
    ...step,
  } as StepInput);
  return { exitCode, stdout, stderr };
}

test.each<[string, Partial<StepInput>, { exitCode: number; stdout: string; stderr?: string }]>([
  ["ends at the line that fails", { run: "echo a\nfalse\necho b" }, { exitCode: 1, stdout: "a\n" }],
  ["with its code", { run: "sh -c 'exit 7'\necho b" }, { exitCode: 7, stdout: "" }],
  ["goes on after set +e", { run: "set +e\nfalse\necho b" }, { exitCode: 0, stdout: "b\n" }],
  [
    "goes on where a failure is handled",
    { run: "false || echo a\nif false; then :; fi\necho b" },
    { exitCode: 0, stdout: "a\nb\n" },
  ],
  [
    "goes on by a shell of its own",
    { run: "false\necho b", shell: "/bin/sh {0}" },
    { exitCode: 0, stdout: "b\n" },
  ],
  [
    "has CRLF line ends",
    { run: "if true; then\r\n  echo a\r\nfi\r\nexit 3\r\n" },
    { exitCode: 3, stdout: "a\n" },
  ],
  ["has a #! line", { run: "#!/bin/awk -f\nBEGIN { print 6 * 7 }" }, { exitCode: 0, stdout: "42\n" }],
  [
    "has a #! line with options",
    { run: "#!/bin/sh -x\nfalse\necho b" },
    { exitCode: 0, stdout: "b\n", stderr: "+ false\n+ echo b\n" },
  ],
  ["has a #! line and CRLF", { run: "#!/bin/sh\r\necho a\r\n" }, { exitCode: 0, stdout: "a\n" }],
  ["has a #! line, and a shell", { run: "#!/no/such\necho a", shell: "sh" }, { exitCode: 0, stdout: "a\n" }],
  [
    "is of another language",
    { run: "BEGIN { print 6 * 7 }", shell: "awk -f {0}" },
    { exitCode: 0, stdout: "42\n" },
  ],
  [
    "is of one that is only named",
    { run: "echo $0", shell: "/bin/sh" },
    { exitCode: 0, stdout: "/.wfe-script/run\n" },
  ],
  [
    "is for a command as a list",
    { run: "print", shell: ["echo", "a b", "{0}"] },
    { exitCode: 0, stdout: "a b /.wfe-script/run\n" },
  ],
])("a script that %s", async (_, step, expected) => {
  expect(await run(step)).toMatchObject({ stderr: "", ...expected });
});

const LONG = `echo on; ${"# a comment that fills the script\n".repeat(10_000)}exit 3\n`;

test.each<[string, Partial<StepInput>]>([
  ["", {}],
  [" on a read-only root file system", { readOnly: true }],
  [" as root", { user: "0" }],
  [" with other things where files may be", { tmpfs: ["/tmp", "/run", "/var"] }],
  [" by a #! line", { run: `#!/bin/sh\n${LONG}` }],
  [" by a shell of its own", { shell: "busybox sh -eu {0}" }],
])("a script longer than an argument may be runs%s", async (_, step) => {
  expect(await run({ run: LONG, ...step })).toEqual({ exitCode: 3, stdout: "on\n", stderr: "" });
});

test("a script of megabytes runs", async () => {
  const script = `${"# a comment that fills the script\n".repeat(200_000)}echo end\n`;
  expect(script.length).toBeGreaterThan(6_000_000);
  expect(await run({ run: script })).toEqual({ exitCode: 0, stdout: "end\n", stderr: "" });
});

test("only root could change a script's file", async () => {
  const script =
    "#!/bin/sh\nstat -c '%a %u %g' /.wfe-script /.wfe-script/run; echo x 2>/dev/null >> $0 || echo refused";
  expect((await run({ run: script })).stdout).toBe("755 0 0\n755 0 0\nrefused\n");
});
