import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createExecutor,
  type Policy,
  removeVolume,
  type StepEvent,
  type StepInput,
} from "@wfe-containerd/executor";
import { once, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { buildImage, busyboxLayer, ociArchive } from "@wfe-containerd/test-infra/images";
import { afterAll, beforeAll, expect, test } from "vitest";

const at = useDaemon();
const image = "docker.io/library/start-errors:latest";
const shared = await mkdtemp(join(tmpdir(), "test-start-"));
const [directory, file] = [join(shared, "directory"), join(shared, "file")];
const policy: Partial<Policy> = {
  mountSources: [tmpdir()],
  volumes: "any",
  seccomp: ["profile"],
  ulimits: "any",
};

beforeAll(async () => {
  await mkdir(directory);
  await writeFile(file, "");
  await chmod(shared, 0o755);
  const layer = [
    ...(await busyboxLayer()),
    { path: "text", contents: "x", mode: 0o644 },
    { path: "no-interpreter", contents: "#!/no/such\n", mode: 0o755 },
    { path: "no-program", contents: "x", mode: 0o755 },
    { path: "circle", symlink: "circle" },
    { path: "nowhere", symlink: "/no/where" },
  ];
  await at.client.images.import(once(await ociArchive(await buildImage({ layers: [layer] }), image)));
});
afterAll(async () => {
  await at.client.images.remove(image, { sync: true });
  await rm(shared, { recursive: true });
});

async function run(step: Partial<StepInput>, events: StepEvent[] = []) {
  await using executor = createExecutor({ client: at.client, ioDir: at.ioDir, policy });
  const whole = {
    name: "start",
    image,
    ...(step.command === undefined && { run: "true" }),
    ...step,
  } as StepInput;
  return await executor.run(whole, { onEvent: (event) => void events.push(event) });
}

const on = (target: string, source = directory): Partial<StepInput> => ({ volumes: [{ source, target }] });

test.each<[string, Partial<StepInput>, string, string]>([
  [
    "a working directory that is a file",
    { workingDir: "/bin/sh" },
    "workingDir",
    "/bin/sh cannot be the working directory: it is a file",
  ],
  ["one below a file", { workingDir: "/etc/passwd/x" }, "workingDir", "or lies below a file"],
  ["one that is a link to itself", { workingDir: "/circle" }, "workingDir", "symbolic link"],
  ["one that is a link to nothing", { workingDir: "/nowhere" }, "workingDir", "symbolic link"],
  ["one that cannot be made", { workingDir: "/sys/new" }, "workingDir", "read-only file system"],
  ["one on a mounted file", { workingDir: "/v", ...on("/v", file) }, "workingDir", "it is a file"],
  ["one of a device", { workingDir: "/dev/null" }, "workingDir", "it is a file"],
  ["a file on a directory", on("/bin", file), "volumes", `nor a file on a directory: ${file} on /bin`],
  ["a directory on a file", on("/etc/passwd"), "volumes", `a directory cannot be mounted on a file`],
  [
    "a directory below a file",
    on("/etc/passwd/x"),
    "volumes",
    "/etc/passwd/x is a file in the container, or lies below a file",
  ],
  ["a file below a file", on("/etc/passwd/x", file), "volumes", "lies below a file"],
  [
    "a target in a circle of links",
    on("/circle"),
    "volumes",
    "/circle leads through symbolic links in a circle",
  ],
  ["a target below one", on("/circle/x"), "volumes", "in a circle"],
  [
    "a target that cannot be made in a read-only volume",
    {
      volumes: [
        { source: directory, target: "/v", readonly: true },
        { source: file, target: "/v/in" },
      ],
    },
    "volumes",
    "/v/in does not exist, and what is mounted above it is read-only",
  ],
  [
    "memory in a read-only volume",
    { volumes: [`${directory}:/v:ro`], tmpfs: ["/v/in"] },
    "tmpfs",
    "/v/in does not exist",
  ],
  ["memory on a file", { tmpfs: ["/etc/passwd"] }, "tmpfs", "/etc/passwd is a file in the container"],
  ["memory below a file", { tmpfs: ["/etc/passwd/x"] }, "tmpfs", "lies below a file"],
  ["a limit of address space", { ulimits: { as: 1000 } }, "ulimits", "as or data is so low"],
  ["a limit of CPU time", { ulimits: { cpu: 0 } }, "ulimits", "cpu is so low"],
  [
    "a filter that stops all",
    { seccomp: { defaultAction: "SCMP_ACT_ERRNO" } },
    "seccomp",
    "the profile stops the runtime",
  ],
])("%s is refused in words", async (_, step, field, message) => {
  await expect(run(step)).rejects.toMatchObject({
    kind: "refused",
    issues: [{ field, message: expect.stringContaining(message), allowed: expect.stringMatching(/./) }],
    message: expect.stringMatching(new RegExp(`^${field}: `)),
  });
});

test("a cache on a file is refused in words", async () => {
  await expect(run({ caches: ["start:/etc/passwd"] })).rejects.toMatchObject({
    kind: "refused",
    issues: [
      { field: "caches", message: expect.stringContaining("a directory cannot be mounted on a file") },
    ],
  });
  await removeVolume(at.client, "start");
});

test.each<[Partial<StepInput>, string, string]>([
  [{ command: ["/no/program"] }, "command-not-found", "command"],
  [{ command: ["no-such-program"] }, "command-not-found", "command"],
  [{ command: ["/etc/passwd/x"] }, "command-not-found", "command"],
  [{ command: [`/${"x".repeat(300)}`] }, "command-not-found", "command"],
  [{ command: [""], args: ["/no/program"] }, "command-not-found", "args"],
  [{ run: "x", shell: "python3" }, "command-not-found", "shell"],
  [{ command: ["/bin"] }, "command-not-executable", "command"],
  [{ command: ["/text"] }, "command-not-executable", "command"],
  [{ command: ["/circle"] }, "command-not-executable", "command"],
])("a program that cannot be started, as %j, is %s and names its field", async (step, kind, field) => {
  await expect(run(step)).rejects.toMatchObject({
    kind,
    issues: [{ field }],
    message: expect.stringMatching(`^${field}: `),
  });
});

test.each<[Partial<StepInput>, string, string]>([
  [{ command: ["/no-interpreter"] }, "command", "does not have the interpreter of the program's #! line"],
  [{ command: ["/no-program"] }, "command", "not a program for this architecture"],
  [{ run: "#!/no/such\n" }, "run", "does not have the interpreter of the program's #! line"],
  [{ run: "#!/usr/bin/env no-such\n" }, "run", "does not have the interpreter of the program's #! line"],
])("where the kernel alone can tell, as of %j, the result says why", async (step, field, message) => {
  const events: StepEvent[] = [];
  const result = await run(step, events);
  expect(result.exitCode).not.toBe(0);
  expect(result.warnings).toEqual([{ field, message: expect.stringContaining(message) }]);
  expect(events).toContainEqual({ type: "warning", ...result.warnings[0] });
});

test("a step that may not write to a volume says whom it runs as, and how to change it", async () => {
  await chown(directory, 1000, 100);
  const write = { ...on("/w"), run: "touch /w/x; rm /w/x" };
  const result = await run(write);
  expect(result.warnings).toEqual([
    {
      field: "volumes",
      message: `volumes: the step runs as user 65534:65534, which may not write to /w: ${directory} has owner 1000:100 and mode 755; run the step as the owner (user: "1000:100", or --user 1000:100), or change the owner or mode of ${directory}`,
    },
  ]);
  expect(await run({ ...write, user: "1000:100" })).toMatchObject({ exitCode: 0, warnings: [] });
  expect(await run({ ...write, user: "0" })).toMatchObject({ exitCode: 0, warnings: [] });
  expect((await run({ ...write, user: "0", capDrop: ["DAC_OVERRIDE"] })).warnings).toHaveLength(1);
  // The group may not write, but others may. The kernel checks only the first class that matches the user.
  await chmod(directory, 0o707);
  expect((await run({ ...write, user: "5:100" })).warnings).toHaveLength(1);
  expect(await run({ ...write, user: "5:5" })).toMatchObject({ exitCode: 0, warnings: [] });
  await chmod(directory, 0o775);
  expect(await run({ ...write, user: "5:5", groupAdd: [100] })).toMatchObject({ exitCode: 0, warnings: [] });
  // A step that only reads, or that fails for another reason, gets no warning.
  expect(await run({ ...write, run: "ls /w; exit 3" })).toMatchObject({ exitCode: 3, warnings: [] });
});
