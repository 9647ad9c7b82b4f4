import { createClient } from "@wfe-containerd/client";
import { checkLabels } from "@wfe-containerd/client/internal";
import { createExecutor, toWorkflowData, UNRESTRICTED_POLICY } from "@wfe-containerd/executor";
import { describe, expect, test } from "vitest";
import { BUSYBOX, useRefusals } from "./refusals.js";

const { at, run, issuesOf, expectRefused, withImage } = useRefusals();

test("what these tests refuse is otherwise a good step", async () => {
  expect(await run({ run: "true" })).toMatchObject({ exitCode: 0 });
});

describe("bad input 1: ids, namespaces and what becomes a header", () => {
  test("are refused before anything is sent", async () => {
    await expectRefused(
      "name",
      ["", "a/b", "a b", "a\r\nb: c", "-a", "é", "a".repeat(65)].map((name) => ({ name })),
    );
    for (const id of ["", "a/b", "../a", "a..b", "a\r\nx: y", "a\nb", "a\0b", "-a", "a".repeat(77)]) {
      const refusal = expect.objectContaining({ kind: "invalid-argument" });
      expect(() => at.client.with({ namespace: id })).toThrow(refusal);
      expect(() => at.client.with({ leaseId: id })).toThrow(refusal);
      expect(() => at.client.with({ snapshotter: id })).toThrow(refusal);
      await expect(at.client.leases.create({ id })).rejects.toMatchObject({ kind: "invalid-argument" });
    }
    expect(() => checkLabels({ a: "x".repeat(4096) })).toThrow(/4096/);
  });
});

test("bad input 7: names and values of the environment, and their sizes", async () => {
  const long = "x".repeat(128 * 1024);
  const names: object[] = [
    { "": "x" },
    { "A=B": "x" },
    { "A\0": "x" },
    { A: "x\0y" },
    { A: long },
    { [long]: "" },
  ];
  const lists = [["=x"], ["A"], ["A=1", "A=2"], ["A=\0"], [""], [`A=${long}`]];
  await expectRefused(
    /^env/,
    [...names, ...lists].map((env) => ({ env })),
  );
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
  for (const data of [{ a: "x\0y" }, { a: long }]) {
    await expect(executor.run({ ...BUSYBOX, run: "true" }, { data })).rejects.toMatchObject({
      kind: "invalid-argument",
      issues: [{ field: "data.a" }],
    });
  }
  const hostile = await withImage({ Env: ["=x"] }, (image) => issuesOf({ image }));
  expect(hostile).toMatchObject([{ field: "image" }]);
});

test("bad input 8: a command is a list, which no shell takes apart", async () => {
  await expectRefused(/^command/, [
    { run: undefined, command: [] },
    { run: undefined, command: [""] },
    { run: undefined, command: ["echo", "a\0b"] },
    { run: undefined, command: "echo a" },
    { run: undefined, command: [["sh"]] },
  ]);
  await expectRefused("run", [{ run: "" }, { run: "echo a\0" }, { run: ["a"] }]);
  await expectRefused(/^args/, [{ run: undefined, args: ["\0"] }]);
  const args = ["a b", "; touch /tmp/x", "$(id)", "`id`", "*", "", "'", '"', "\n", "--"];
  const { stdout } = await run({ command: ["sh", "-c", 'printf "[%s]" "$@"', "sh", ...args] });
  expect(stdout).toBe(args.map((arg) => `[${arg}]`).join(""));
  const nothing = await withImage({ Cmd: null }, (image) => issuesOf({ image, run: undefined }));
  expect(nothing).toMatchObject([{ field: "command" }]);
});

test("bad input 9: a working directory is absolute, and no descriptor of the runtime's, nor is the image's", async () => {
  const paths = [
    "",
    "work",
    "../x",
    "/a/../b",
    "/proc/self/fd/7",
    "//proc/self/fd/8/..",
    "/proc",
    "/./proc/x",
    "/a\0",
  ];
  await expectRefused(
    "working_dir",
    paths.map((path) => ({ working_dir: path })),
  );
  for (const WorkingDir of ["/proc/self/fd/7", "relative", "/a/../../b"]) {
    expect(await withImage({ WorkingDir }, (image) => issuesOf({ image }))).toMatchObject([
      { field: "image" },
    ]);
  }
});

test("bad input 10: ids above 2^31-1, in a step, an image and its files; a passwd file without end", async () => {
  const users = [
    "2147483648",
    "4294967295",
    "4294967296",
    "0:2147483648",
    "-1",
    "1.5",
    "0x0",
    "a:b:c",
    "a b",
    ":0",
    "",
    2 ** 31,
  ];
  await expectRefused(
    "user",
    users.map((user) => ({ user })),
  );
  await expectRefused(
    /^group_add/,
    [2 ** 31, -1, "a b"].map((group) => ({ group_add: [group] })),
  );
  for (const User of ["2147483648", "4294967295", "0:4294967295"]) {
    expect(await withImage({ User }, (image) => issuesOf({ image, user: "image" }))).toMatchObject([
      { field: "image" },
    ]);
  }
  await withImage(
    {},
    (image) =>
      expectRefused(
        "user",
        ["big", "neg"].map((user) => ({ image, user: `${user}:0` })),
      ),
    [{ path: "etc/passwd", contents: "big:x:4294967295:0::/:\nneg:x:-1:0::/:\n", mode: 0o644 }],
  );
  await withImage(
    {},
    // Not the step's fault, and not known before the image's files are read.
    (image) =>
      expect(run({ image, user: "0:who", run: "true" })).rejects.toMatchObject({
        name: "ExecutorError",
        message: expect.stringContaining("1048577 bytes"),
      }),
    [{ path: "etc/group", contents: "x".repeat(1024 * 1024 + 1), mode: 0o644 }],
  );
});

test("bad input 11: host names and further hosts are one line each", async () => {
  await expectRefused(
    "hostname",
    ["a\nb", "a\r", "-a", "", "a b", "a\0", "a".repeat(254)].map((hostname) => ({ hostname })),
  );
  const hosts = [
    "a\nb:10.0.0.1",
    "a:10.0.0.1\n6.6.6.6 b",
    "a:b",
    ":10.0.0.1",
    "a:10.0.0.256",
    "a b:10.0.0.1",
  ];
  await expectRefused(
    /^extra_hosts/,
    hosts.map((host) => ({ extra_hosts: [host] })),
  );
  await expectRefused(/^extra_hosts/, [
    { extra_hosts: { "a\n": "10.0.0.1" } },
    { extra_hosts: { a: "::1\n" } },
  ]);
  await expectRefused(/^dns/, [
    { dns: ["1.1.1.1\nsearch x"] },
    { dns_search: ["a\nb"] },
    { dns_options: ["a\nb"] },
  ]);
});

test("bad input 12: an output's name stays a name, and outputs stay within their limits", async () => {
  const names = [
    "__proto__",
    "constructor",
    "prototype",
    "a b",
    "",
    "1a",
    "a/b",
    "a.b",
    "-",
    "x".repeat(129),
  ];
  const lines = [
    ...names.map((name) => `##wfe[output ${name}=evil]`),
    "##wfe[output a\nb=evil]",
    "##wfe[output good=1]",
  ];
  const { outputs } = await run({ env: { LINES: lines.join("\n") }, run: 'echo "$LINES"' });
  expect(outputs).toEqual({ good: "1" });
  expect(({} as Record<string, unknown>)["evil"]).toBeUndefined();
  const many = await run({
    run: `i=0; while [ $i -lt 1100 ]; do echo "##wfe[output k$i=x]"; i=$((i+1)); done
      echo "##wfe[output k0=$(head -c 70000 /dev/zero | tr '\\0' y)]"`,
  });
  expect(Object.keys(many.outputs)).toHaveLength(1024);
  expect(many.outputs["k0"]).toBe("x");
});

test("bad input 12: an output is no variable that the next step's programs take orders from", async () => {
  const hostile = await run({
    run: `for key in ld_preload path env bash_env node_options https_proxy; do echo "##wfe[output $key=evil]"; done`,
  });
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
  const { stdout } = await executor.run({ ...BUSYBOX, run: "env" }, { data: toWorkflowData(hostile) });
  const evil = stdout.split("\n").filter((line) => line.endsWith("=evil"));
  expect(evil).toHaveLength(6);
  for (const line of evil) expect(line).toMatch(/^[A-Z]+_OUTPUTS_[A-Z_]+=evil$/);
});

test("bad input 13: nothing that a step prints is a command but the documented line", async () => {
  const lines = [
    "::set-output name=a::evil",
    "::set-env name=PATH::/evil",
    "::add-path::/evil",
    "##vso[task.setvariable variable=a]evil",
    "##wfe[env a=evil]",
    "##wfe[exec a=evil]",
    "##WFE[output a=evil]",
    " ##wfe[output a=evil]",
    "x##wfe[output a=evil]",
    "##wfe[output a=evil] and more",
    "##wfe[output a]",
    "##wfe[outputs a=evil]",
    "\u001b[0m##wfe[output a=evil]",
  ];
  const script = 'echo "$LINES"; echo "##wfe[output a=evil]" >&2';
  const { outputs, exitCode } = await run({ env: { LINES: lines.join("\n") }, run: script });
  expect({ outputs, exitCode }).toEqual({ outputs: {}, exitCode: 0 });
});

describe("bad inputs 15 and 16", () => {
  const sha256 = `sha256:${"0".repeat(64)}`;
  test.each([
    ["bad input 15", "https://docker.io/library/busybox"],
    ["bad input 15", "user:canary@docker.io/library/busybox"],
    ["bad input 15", "docker.io/library/BusyBox"],
    ["bad input 15", `busybox@${sha256}:latest`],
    ["bad input 15", "busybox:latest\r\nX: y"],
    ["bad input 16", "busybox@md5:d41d8cd98f00b204e9800998ecf8427e"],
    ["bad input 16", `busybox@${sha256.toUpperCase()}`],
    ["bad input 16", "busybox@sha256:00"],
  ])("%s: the image %j is no image", async (_, image) => {
    const thrown: unknown = await run({ image, run: "true" }).catch((reason: unknown) => reason);
    expect(thrown).toMatchObject({ name: "ExecutorError", message: expect.stringContaining("image") });
    expect((thrown as Error).message).not.toContain("canary");
  });

  test("bad input 15: a tag beside a digest does not decide", async () => {
    // busybox:latest exists, but with another digest.
    await expect(
      run({ image: `busybox:latest@${sha256}`, pull: "never", run: "true" }),
    ).rejects.toMatchObject({
      kind: "image-not-found",
    });
  });
});

test("bad input 22: no label of a step or an image becomes an order to containerd", async () => {
  const keys = [
    "containerd.io/gc.root",
    "containerd.io/gc.ref.content.x",
    "io.cri-containerd.kind",
    "io.containerd.x",
  ];
  const ofTools = [
    "nerdctl/state-dir",
    "com.docker.compose.project",
    "io.podman.x",
    "buildkit/x",
    "k8s.io/x",
    "a/b",
  ];
  for (const key of ["", "a b", ...ofTools])
    await expectRefused(`labels.${key}`, [{ labels: { [key]: "x" } }]);
  const orders = Object.fromEntries(keys.map((key) => [key, "x"]));
  for (const key of keys) {
    await expectRefused(`labels.${key}`, [{ labels: { [key]: "x" } }]);
    await expectRefused(`annotations.${key}`, [{ annotations: { [key]: "x" } }]);
  }
  await withImage({ Labels: { ...orders, ours: "x" } }, async (image) => {
    await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
    const seen = new Set<string>();
    const step = executor.start({ ...BUSYBOX, image, run: "sleep 60" });
    for await (const event of step) {
      if (event.type !== "phase" || event.phase !== "running") continue;
      for (const { labels } of await at.client.containers.list())
        for (const key of Object.keys(labels)) seen.add(key);
      step.kill();
    }
    await step.closed;
    expect(seen.size).toBeGreaterThan(0);
    for (const key of [...keys, "ours"]) expect([...seen]).not.toContain(key);
  });
});

test("bad input 23: a step says nothing about where its output goes", async () => {
  const uris = ["binary:///bin/sh?x", "file:///tmp/log", "fifo:///x"];
  for (const field of ["log_uri", "stdout", "stderr", "log"])
    await expectRefused(
      field,
      uris.map((uri) => ({ [field]: uri })),
    );
});

describe("bad input 25: a daemon elsewhere", () => {
  test.each([
    "tcp://10.0.0.1:2500",
    "http://10.0.0.1:2500",
    "tcp://localhost.example:1",
    "tcp://[::ffff:10.0.0.1]:1",
    "http://user:canary@10.0.0.1:1",
  ])("is not spoken to in plain text: %s", async (address) => {
    expect(() => createClient({ address })).toThrow(expect.objectContaining({ kind: "invalid-argument" }));
    const executor = createExecutor({ ioDir: at.ioDir, policy: UNRESTRICTED_POLICY });
    const reason: unknown = await executor
      .run({ ...BUSYBOX, run: "true", containerdAddr: address })
      .catch((thrown: unknown) => thrown);
    await executor.close();
    expect(reason).toMatchObject({ name: "ExecutorError", message: expect.stringContaining("allowed: ") });
    expect(String((reason as Error).message)).not.toContain("canary");
  });

  test("and half of a certificate is none", () => {
    expect(() => createClient({ address: "https://10.0.0.1:1", tls: { cert: "x" } })).toThrow(
      expect.objectContaining({ kind: "invalid-argument" }),
    );
  });
});
