import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { createExecutor, type OpenOptions, type Session, type SessionInput } from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { expect, test } from "vitest";
import { printed } from "./printed.js";

const at = useDaemon();

async function withSession<T>(
  use: (session: Session) => Promise<T>,
  fields: Partial<SessionInput> = {},
  options: OpenOptions = {},
): Promise<T> {
  const before = await at.inventory();
  const result = await (async () => {
    await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
    await using session = await executor.open({ name: "job", image: "busybox", ...fields }, options);
    return await use(session);
  })();
  await at.expectNothingLeft(before);
  return result;
}

const WHERE = 'cd "$WFE_SECRETS_DIR" &&';

test("a step's own secrets are files in memory that its user can read, and are gone after it", async () => {
  await withSession(async (session) => {
    const step = {
      run: `${WHERE} stat -c '%a %u:%g %n' npm key; stat -f -c %T .; cat npm; cat key; base64 npm`,
      secrets: ["npm", { name: "key", mask: false }],
      user: "7:8",
    };
    const values = { npm: "first-s3cr3t", key: "shown", other: "not asked for" };
    const first = await session.run(step, { secrets: values });
    expect(first).toMatchObject({ cause: "exit", exitCode: 0, unreleased: [], stderr: "" });
    expect(first.stdout).toBe("400 7:8 npm\n400 7:8 key\ntmpfs\n***shown***\n");
    const { stdout } = await session.run({ run: "find /.wfe-secrets -size +0 -type f; env", user: "0" });
    expect(stdout).not.toMatch(/wfe-secrets|WFE_SECRETS_DIR|s3cr3t/);
    const second = await session.run(step, { secrets: { ...values, npm: "other-s3cr3t" } });
    expect(second.stdout).toBe(first.stdout);
  });
});

test("each of two steps at the same time has its own under the same name, and other users cannot read it", async () => {
  await withSession(async (session) => {
    const run = `${WHERE} echo ready; while [ ! -e /tmp/go ]; do sleep 0.1; done; cat npm`;
    const step = { run, secrets: [{ name: "npm", mask: false }], user: "7" };
    const [a, b] = ["one", "two"].map((npm) => session.start(step, { secrets: { npm } }));
    if (a === undefined || b === undefined) throw new Error("unreachable");
    await Promise.all([printed(a, "ready"), printed(b, "ready")]);
    const look = "ls -d /.wfe-secrets/*/ | wc -l; cat /.wfe-secrets/*/npm";
    const other = await session.run({ run: `${look} 2>/dev/null || echo refused`, user: "9" });
    expect(other.stdout).toBe("2\nrefused\n");
    await session.run({ run: "touch /tmp/go", user: "0" });
    expect([(await a.result).stdout, (await b.result).stdout]).toEqual(["ready\none", "ready\ntwo"]);
    await Promise.all([a.closed, b.closed]);
    expect((await session.run({ run: "ls -d /.wfe-secrets/*/ || echo none", user: "0" })).stdout).toBe(
      "none\n",
    );
  });
});

test("they are beside those of the session, on a root file system that is read-only, too", async () => {
  const fields = { readOnly: true, secrets: ["all"], user: "7" };
  await withSession(
    async (session) => {
      const run = `cat /run/secrets/all; ${WHERE} ls; cat npm`;
      const result = await session.run({ run, secrets: ["npm"] }, { secrets: { npm: "of-one-step" } });
      expect(result).toMatchObject({ exitCode: 0, stdout: "***npm\n***" });
    },
    fields,
    { secrets: { all: "of-all-steps" } },
  );
});

test("whatever a hostile step puts in their way, they stay in memory, and nothing of them reaches a disk", async () => {
  const marker = `marker-${process.pid}-of-a-step`;
  await withSession(async (session) => {
    const step = { run: `${WHERE} pwd; cat npm`, secrets: [{ name: "npm", mask: false }], user: "0" };
    const first = await session.run(step, { secrets: { npm: marker } });
    const [place = ""] = first.stdout.split("\n");
    expect(place).toMatch(/^\/\.wfe-secrets\/[0-9a-f]{8}-0$/);
    // The place is taken again by the next step that has secrets.
    const trap = `mkdir -p /trap; rm -f ${place}; ln -s /trap ${place}; rm -rf /.wfe-secrets || true; ls -la /.wfe-secrets`;
    await session.run({ run: trap, user: "0" });
    const second = await session.run(step, { secrets: { npm: marker } });
    expect(second.stdout).toBe(first.stdout);
    expect((await session.run({ run: "ls /trap", user: "0" })).stdout).toBe("");
    const { stdout } = await promisify(execFile)("grep", ["-rlaF", marker, at.daemon.directory]).catch(
      (reason: { stdout: string }) => reason,
    );
    expect(stdout).toBe("");
  });
});

test("a step that cannot have them is refused, and says why", async () => {
  await withSession(async (session) => {
    await expect(session.run({ run: "true", secrets: ["npm"] })).rejects.toMatchObject({
      kind: "refused",
      message: expect.stringContaining('secrets[0]: the value of "npm" is missing'),
    });
    await expect(
      session.run({ run: "true", secrets: ["npm"] }, { secrets: { npm: "x".repeat(2 ** 20 + 1) } }),
    ).rejects.toMatchObject({ kind: "refused", issues: [{ field: "secrets" }] });
    await expect(
      session.run({ command: ["/none"], secrets: ["npm"] }, { secrets: { npm: "x" } }),
    ).rejects.toMatchObject({ kind: "command-not-found" });
    expect((await session.run({ run: "ls -d /.wfe-secrets/*/ || echo none", user: "0" })).stdout).toBe(
      "none\n",
    );
  });
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
  await using step = executor.start({ name: "step", image: "busybox", command: ["sleep", "1000"] });
  await step.started;
  const exec = step.exec({ run: "true", secrets: ["npm"] } as never);
  await expect(exec.result).rejects.toMatchObject({
    kind: "invalid-step",
    issues: [{ field: "secrets", message: "belongs to the container, which is made already" }],
  });
  step.kill();
});

test("a step that is killed, or whose session ends, takes its secrets with it", async () => {
  await withSession(async (session) => {
    const long = { run: "echo ready; exec sleep 1000", secrets: ["npm"] };
    const killed = session.start(long, { secrets: { npm: "s3cr3t" } });
    await printed(killed, "ready");
    killed.kill();
    expect(await killed.closed).toEqual({ unreleased: [] });
    expect((await session.run({ run: "ls -d /.wfe-secrets/*/ || echo none", user: "0" })).stdout).toBe(
      "none\n",
    );
    const last = session.start(long, { secrets: { npm: "s3cr3t" } });
    await printed(last, "ready");
    expect(await session.close({ graceMs: 0 })).toMatchObject({ unreleased: [] });
    expect(await last.closed).toEqual({ unreleased: [] });
  });
});

test("a step of its own container has the directory of its secrets in the same variable", async () => {
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
  const step = { name: "one", image: "busybox", run: `${WHERE} pwd; cat npm`, secrets: ["npm"] };
  const { stdout } = await executor.run(step, { secrets: { npm: "s3cr3t" } });
  expect(stdout).toMatch(/^\/(run|\.wfe-)\S*\n\*\*\*$/);
});
