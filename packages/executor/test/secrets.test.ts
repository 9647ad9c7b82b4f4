import { randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { observe as observeCalls } from "@wfe-containerd/client";
import {
  createExecutor,
  type ExecutorOptions,
  isExecutorError,
  logTo,
  observe,
  type SecretValues,
  type StepEvent,
  type StepInput,
} from "@wfe-containerd/executor";
import { once, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { listTree } from "@wfe-containerd/test-infra/daemon/tree";
import { buildImage, busyboxLayer, ociArchive } from "@wfe-containerd/test-infra/images";
import { describe, expect, test } from "vitest";

// The log must not contain secrets even at its most detailed level.
const at = useDaemon({ logLevel: "trace" });
/**
 * Both are unique: they are looked for in all processes of the machine, where another checkout may be tested
 * at the same time.
 */
const SCRIPT = `echo on; sleep 6000; true ${randomUUID()}`;
const TOKEN = `secret-canary-${randomUUID().replaceAll(/[^a-f]/g, "")}-token`;

function run(
  change: Partial<StepInput>,
  secrets: SecretValues = { token: TOKEN },
  { onEvent, ...options }: ExecutorOptions & { onEvent?: (event: StepEvent) => void } = {},
) {
  const executor = createExecutor({ client: at.client, ioDir: at.ioDir, ...options });
  const step = { name: "told", image: "busybox", secrets: ["token"], ...change } as StepInput;
  return executor
    .run(step, { secrets, ...(onEvent !== undefined && { onEvent }) })
    .finally(() => executor.close());
}

/** Prints the secret's file and its contents, each letter as the next one so that they are not masked. */
const LOOK = `cd /run/secrets; stat -c '%a %u:%g %n' *; stat -f -c %T . ; cat token | tr 'a-z' 'b-za'`;
const SHIFTED = TOKEN.replaceAll(/[a-z]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 1));

describe("a secret", () => {
  test.each([["65534:65534"], ["0:0"], ["1000:7"], ["262143:262144"], ["2147483647:300000"]])(
    "is a file in memory, of the user %s alone",
    async (user) => {
      const result = await run({ user, run: LOOK });
      expect(result.stderr).toBe("");
      expect(result.stdout.split("\n")).toEqual([`400 ${user} token`, "tmpfs", SHIFTED]);
    },
  );

  test("is nobody else's in the container", async () => {
    const result = await run({ user: "0", run: "su -s /bin/sh builder -c 'cat /run/secrets/token'; true" });
    expect(result.stdout).toBe("");
    expect(result.stderr).toContain("Permission denied");
  });

  test("comes with a root file system that cannot be written to, and where the step wants it", async () => {
    const result = await run(
      {
        readOnly: true,
        secrets: [{ name: "token", target: "/etc/service/key.pem" }, { name: "other" }],
        run: "tr a-z b-za < /etc/service/key.pem; ls /run/secrets; touch /run/secrets/x",
      },
      { token: TOKEN, other: "x".repeat(5000) },
    );
    expect(result.stdout).toBe(`${SHIFTED}other\n`);
    expect(result.stderr).toContain("Permission denied");
  });

  test("is bytes, and may be empty or large", async () => {
    const value = new Uint8Array(200_000).fill(0xff);
    const result = await run(
      { secrets: ["big", "none"], run: "cd /run/secrets; md5sum big | cut -c1-8; wc -c big none" },
      { big: value, none: "" },
    );
    expect(result.stdout).toContain("200000 big");
    expect(result.stdout).toContain("0 none");
  });

  test("that the step does not name is not given", async () => {
    const result = await run({ secrets: ["token"], run: "ls /run/secrets" }, { token: TOKEN, other: "x" });
    expect(result.stdout).toBe("token\n");
  });

  test("goes nowhere but into the container, whatever its image has in the way", async () => {
    const layer = (await busyboxLayer()).filter(({ path }) => path !== "run/");
    for (const [name, entries] of Object.entries({
      absolute: [{ path: "run", symlink: "/tmp" }],
      above: [{ path: "run", symlink: "../../../../../../tmp" }],
      process: [{ path: "run", symlink: "/proc/1/root/tmp" }],
      file: [
        { path: "run/" },
        { path: "run/secrets/" },
        { path: "run/secrets/token", symlink: "/etc/passwd" },
      ],
    })) {
      const image = `docker.io/library/hostile-${name}:latest`;
      const archive = await ociArchive(await buildImage({ layers: [layer, entries] }), image);
      await at.client.images.import(once(archive), { name: image });
      const before = await readdir("/tmp");
      const result = await run({
        image,
        run: "tr a-z b-za < /run/secrets/token; cat /etc/passwd | head -n 1",
      }).catch((error: unknown) => error);
      if (isExecutorError(result)) expect(result.kind).toBe("runtime");
      else expect(result).toMatchObject({ stdout: expect.stringContaining(SHIFTED) });
      // Other tests make files there, too.
      const made = (await readdir("/tmp")).filter((entry) => !before.includes(entry));
      expect(made.filter((entry) => entry === "secrets" || entry === "token")).toEqual([]);
      await at.client.images.remove(image, { sync: true });
    }
  });
});

test("a secret is in nothing that containerd knows or logs, in no file that it or we keep, and in no process's arguments or environment", async () => {
  const known: unknown[] = [];
  const watching = new AbortController();
  const subscription = at.client.events.subscribe({ signal: watching.signal });
  const watched = (async () => {
    for await (const event of subscription) known.push(event);
  })().catch(() => undefined);
  const observed: unknown[] = [];
  const see = (message: object | string): void => void observed.push(structuredClone(message));
  const both = { start: see, end: see };
  const stops = [
    observe({ rpc: both, transfer: both, step: both, phase: both, release: both, retry: both, outage: both }),
    logTo({ debug: see, info: see, warn: see }),
  ];
  const executor = createExecutor({ client: at.client, ioDir: at.ioDir });
  const handle = executor.start(
    { name: "told", image: "busybox", secrets: ["token"], run: SCRIPT, stopGrace: "0s" },
    { secrets: { token: TOKEN } },
  );
  for await (const event of handle) {
    known.push(event);
    if (event.type !== "output") continue;
    for (const list of [
      at.client.containers.list(),
      at.client.tasks.list(),
      at.client.leases.list(),
      at.client.content.listStatuses(),
    ])
      known.push(await list);
    for await (const snapshot of at.client.snapshots.list()) known.push(snapshot);
    for await (const content of at.client.content.list()) known.push(content);
    const { rootDir, stateDir } = at.daemon;
    for (const directory of [rootDir, stateDir, at.ioDir])
      expect(await filesWith(directory, TOKEN)).toEqual([]);
    // Only the step's own process is found, and no process shows the secret. For a moment two are found: a
    // shell's child has its arguments until it becomes another program.
    await expect.poll(() => processesWith(SCRIPT)).toEqual([expect.stringMatching(/cmdline$/)]);
    expect(await processesWith(TOKEN)).toEqual([]);
    handle.stop();
  }
  known.push(await handle.result);
  await executor.close();
  watching.abort();
  await watched;
  for (const stop of stops) stop();
  expect(observed).toContainEqual(expect.stringMatching(/^step wfe-\w+ "told", image .*, cause aborted, /));
  // Neither do diagnostics and log lines tell what the step runs.
  expect(JSON.stringify(observed)).not.toContain("sleep 60");
  known.push(observed);
  const text = JSON.stringify(known, (_, value) =>
    value instanceof Uint8Array
      ? Buffer.from(value).toString()
      : typeof value === "bigint"
        ? Number(value)
        : value,
  );
  expect(text).not.toContain(TOKEN);
  expect(text).not.toContain(Buffer.from(TOKEN).toString("base64").slice(0, 20));
  expect(await filesWith(at.daemon.rootDir, TOKEN)).toEqual([]);
  const log = await readFile(at.daemon.logPath, "utf8");
  expect(log).toContain(handle.id);
  expect(log).not.toContain(TOKEN);
});

/** The files in /proc with arguments or environments that contain a text. */
async function processesWith(text: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    for (const path of [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`]) {
      // The process may have ended.
      const contents = await readFile(path, "utf8").catch(() => "");
      if (contents.includes(text)) found.push(path);
    }
  }
  return found;
}

/** The regular files below a directory that contain a text. Files that cannot be read are skipped. */
async function filesWith(directory: string, text: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await listTree(directory)) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const contents = await readFile(path).catch(() => Buffer.alloc(0));
    if (contents.includes(text)) found.push(path);
  }
  return found;
}

test("on this machine, the daemon stores nothing for the files of a step", async () => {
  const calls: string[] = [];
  const executor = createExecutor({ client: at.client, ioDir: at.ioDir });
  const runHere = (change: Partial<StepInput>) =>
    executor.run({ name: "files", image: "busybox", secrets: ["token"], ...change } as StepInput, {
      secrets: { token: TOKEN },
    });
  const script = `#!/bin/sh\nhostname -i; stat -c '%a %u:%g %n' /run /etc /etc/hosts "$0"; pwd`;
  const asRoot = { user: "0", run: script, workingDir: "/made/here" };
  // The first step of an image makes its base layer, over the API.
  await runHere(asRoot);
  const stop = observeCalls({
    rpc: { start: ({ service, method }) => void calls.push(`${service}/${method}`) },
  });
  try {
    const files = ["755 0:0 /run", "755 0:0 /etc", "644 0:0 /etc/hosts", "755 0:0 /.wfe-script/run"];
    const { stdout } = await runHere(asRoot);
    expect(stdout.split("\n")).toEqual(["127.0.1.1", ...files, "/made/here", ""]);
    const { stdout: own } = await runHere({ run: "stat -c %u:%g .", workingDir: "/made/here" });
    expect(own).toBe("65534:65534\n");
  } finally {
    stop();
    await executor.close();
  }
  expect(calls).toContain("containerd.services.tasks.v1.Tasks/Create");
  expect(calls.filter((call) => /content|diff/.test(call))).toEqual([]);
});

describe("what a step prints of its secrets", () => {
  test("is masked in the result, the events and the outputs, in whatever pieces it comes", async () => {
    const events: StepEvent[] = [];
    const result = await run(
      {
        run: `s=$(cat /run/secrets/token); echo "it is $s."; printf '%s' "$s" | base64; printf %s "$s" | cut -c1-9 | tr -d '\\n'; sleep 0.1; printf %s "$s" | cut -c10-; echo "##wfe[output got=$s]"; echo "$s" >&2`,
      },
      undefined,
      { onEvent: (event) => void events.push(event) },
    );
    expect(result.stdout).toMatch(/^it is \*\*\*\.\n\*\*\*=*\n\*\*\*\n##wfe\[output got=\*\*\*\]\n$/);
    expect(result.stderr).toBe("***\n");
    expect(result.outputs).toEqual({ got: "***" });
    for (const stream of ["stdout", "stderr"] as const) {
      const output = events.flatMap((event) =>
        event.type === "output" && event.stream === stream ? [Buffer.from(event.data)] : [],
      );
      expect(Buffer.concat(output).toString()).toBe(result[stream]);
    }
  });

  test("is left when the step says so", async () => {
    const value = "not so secret";
    const result = await run(
      { secrets: [{ name: "token", mask: false }], run: "cat /run/secrets/token" },
      { token: value },
    );
    expect(result.stdout).toBe(value);
  });
});

describe("is refused before anything is asked for:", () => {
  test.each<[string, Partial<StepInput>, SecretValues, string]>([
    ["a name without a value", {}, {}, "secrets[0]"],
    ["a name of an object's own", { secrets: ["constructor"] }, {}, "secrets[0]"],
    [
      "a directory of the image's",
      { secrets: [{ name: "token", target: "/etc/token" }] },
      { token: TOKEN },
      "secrets[0].target",
    ],
    ["too much", {}, { token: TOKEN.repeat(100_000) }, "secrets"],
  ])("%s", async (_, change, secrets, field) => {
    const before = await at.inventory();
    const error = await run({ run: "true", ...change }, secrets).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ kind: "refused", issues: [{ field }] });
    expect(String(error)).not.toContain(TOKEN);
    await at.expectNothingLeft(before);
  });

  test("a mount where secrets are", async () => {
    await expect(run({ run: "true", tmpfs: ["/run/secrets"] })).rejects.toMatchObject({
      kind: "invalid-step",
      issues: [{ field: "secrets" }],
    });
  });
});

test("a step that fails to start leaves nothing of its secrets", async () => {
  const before = await at.inventory();
  await expect(run({ command: ["no-such-program"] })).rejects.toMatchObject({ kind: "command-not-found" });
  await at.expectNothingLeft(before);
});
