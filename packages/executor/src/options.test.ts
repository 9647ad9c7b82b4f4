import { createClient } from "@wfe-containerd/client";
import { expect, test } from "vitest";
import { createExecutor, pruneVolumes, reap, toWorkflowData } from "./index.js";

/** What a program without types may give. */
// biome-ignore lint/suspicious/noExplicitAny: it may give anything.
const any = (value: unknown): any => value;
const step = { name: "a", image: "a" };
const refusal = (message: string) =>
  expect.objectContaining({ name: "ExecutorError", kind: "invalid-argument", message });

test("an executor refuses options that do not exist, those of options too", () => {
  const message = (options: unknown) => {
    try {
      return createExecutor(any(options));
    } catch (reason) {
      expect(reason).toMatchObject({ name: "ExecutorError", kind: "invalid-argument" });
      return (reason as Error).message;
    }
  };
  expect(message({ iodir: "/x" })).toBe('createExecutor: unknown option "iodir"; did you mean ioDir?');
  expect(message({ capture: 1 })).toBe(
    'createExecutor: unknown option "capture"; did you mean captureBytes?',
  );
  expect(message({ bridge: { nam: "x" } })).toContain('"bridge.nam"; did you mean name?');
  expect(message({ userNamespace: { host: 1 } })).toContain('"userNamespace.host"; did you mean hostId?');
  expect(message({ pull: { retry: { deadline: 1 } } })).toContain('"pull.retry.deadline"; did you mean');
  expect(message({ pull: { platform: {} } })).toContain('unknown option "pull.platform"');
  expect(message({ reapIntervalMs: true })).toBe(
    "createExecutor: reapIntervalMs is not a duration: true; allowed: milliseconds from 0 on; example: 60000",
  );
  for (const orphanGraceMs of [-1, Number.NaN, "5m", false])
    expect(message({ orphanGraceMs })).toContain(`orphanGraceMs is not a duration: ${orphanGraceMs};`);
  expect(message(null)).toContain("is not an object");
  expect(message(createClient({ address: "/x" }))).toContain('unknown option "address"');
});

test.each([0, -1, 1.5, Number.NaN, "4", null])("%j is no number of concurrent steps", (maxConcurrent) => {
  expect(() => createExecutor({ maxConcurrent: any(maxConcurrent) })).toThrow(
    expect.objectContaining({
      kind: "invalid-argument",
      message: expect.stringMatching(/^maxConcurrent: .* is not a number of steps; allowed: a whole number/),
    }),
  );
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, "high"])("%j is no priority", async (priority) => {
  await using executor = createExecutor();
  const { result, closed } = executor.start(step, { priority: any(priority) });
  await expect(result).rejects.toMatchObject({
    kind: "invalid-argument",
    message: expect.stringMatching(/^priority: .* is not a priority; allowed: a number/),
  });
  await closed;
});

test("so does each of its calls", async () => {
  const client = createClient({ address: "/no/such.sock" });
  await using executor = createExecutor({ client });
  await expect(executor.run(step, any({ onEvents: 1 }))).rejects.toEqual(
    refusal('run: unknown option "onEvents"; did you mean onEvent?'),
  );
  for (const [options, message] of [
    [{ secret: {} }, 'start: unknown option "secret"; did you mean secrets?'],
    [
      { onEvent: 1 },
      'start: unknown option "onEvent"; allowed: signal, data, stdin, terminal, secrets, priority, runId, key, attempt, keepResultMs, canLeave',
    ],
    [
      null,
      "start: options: is not an object; allowed: signal, data, stdin, terminal, secrets, priority, runId, key, attempt, keepResultMs, canLeave",
    ],
  ] as const) {
    const handle = executor.start(step, any(options));
    await expect(handle.result).rejects.toEqual(refusal(message));
    await handle.closed;
  }
  await expect(executor.close(any({ grace: 1 }))).rejects.toEqual(
    refusal('close: unknown option "grace"; did you mean graceMs?'),
  );
  for (const [options, message] of [
    [{ policy: "keep" }, 'recover: policy: "keep" is not allowed; allowed: adopt, stop'],
    [
      { steps: "wfe-1" },
      'recover: steps: is not a list of ids; allowed: texts; example: ["wfe-0123456789abcdef0123"]',
    ],
  ] as const)
    await expect(executor.recover(any(options)).next()).rejects.toEqual(refusal(message));
  await expect(executor.reap(any({ dryrun: true }))).rejects.toEqual(
    refusal('reap: unknown option "dryrun"; did you mean dryRun?'),
  );
  await expect(reap(client, any({ ioDirectory: "/x" }))).rejects.toEqual(
    refusal('reap: unknown option "ioDirectory"; allowed: dryRun, graceMs, ioDir, bridge'),
  );
  for (const graceMs of [-1, Number.NaN, "1h"])
    await expect(reap(client, any({ graceMs }))).rejects.toEqual(
      refusal(`reap: graceMs is not a duration: ${graceMs}; allowed: milliseconds from 0 on; example: 60000`),
    );
  await expect(pruneVolumes(client, any({ kind: [] }))).rejects.toEqual(
    refusal('pruneVolumes: unknown option "kind"; did you mean kinds?'),
  );
  const result = { name: "a", stdout: "", stderr: "", exitCode: 0, outputs: {} };
  expect(() => toWorkflowData(result, any({ log: true }))).toThrow(
    refusal('toWorkflowData: unknown option "log"; did you mean logs?'),
  );
});

test("an option that is undefined counts as not given", async () => {
  await using executor = createExecutor({
    client: createClient({ address: "/no/such.sock", timeoutMs: undefined, tls: undefined }),
    ioDir: undefined,
    ioMode: undefined,
    captureBytes: undefined,
    policy: { privileged: undefined, registries: undefined },
    bridge: { name: undefined },
    init: undefined,
    userNamespace: { hostId: undefined, size: undefined },
    maxConcurrent: undefined,
    pull: { retry: { deadlineMs: undefined }, timeouts: undefined },
  });
  const options = {
    signal: undefined,
    secrets: undefined,
    data: undefined,
    priority: undefined,
    onEvent: undefined,
  };
  await expect(executor.run(step, options)).rejects.toMatchObject({ kind: "daemon-unavailable" });
  await executor.close({ graceMs: undefined });
});
