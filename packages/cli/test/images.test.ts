import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import type { Descriptor } from "@wfe-containerd/client";
import { once, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { ctr } from "@wfe-containerd/test-infra/daemon/ctr";
import { buildImage } from "@wfe-containerd/test-infra/images";
import { addLadder, createDocuments, type Documents } from "@wfe-containerd/test-infra/images/documents";
import { startRegistry, type TestRegistry } from "@wfe-containerd/test-infra/registry";
import { startFaultProxy } from "@wfe-containerd/test-infra/registry/fault-proxy";
import { putAsBuilt } from "@wfe-containerd/test-infra/registry/put-as-built";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { call, type Finished, MAIN } from "./command.js";
import { Screen } from "./screen.js";

const run = promisify(execFile);
const PASSWORD = "secret-canary-password";

const at = useDaemon();
let directory: string;
let open: TestRegistry;
let closed: TestRegistry;
/** DOCKER_CONFIG of the commands. */
let config: string;
/** The output of all commands, to search for the password. */
let printed = "";

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "test-cli-images-"));
  open = await startRegistry();
  closed = await startRegistry({ password: { username: "user", password: PASSWORD } });
});
afterAll(async () => {
  await open?.[Symbol.asyncDispose]();
  await closed?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
  expect(printed).not.toContain(PASSWORD);
  expect(printed).not.toContain(Buffer.from(`user:${PASSWORD}`).toString("base64"));
});
beforeEach(async () => {
  config = await mkdtemp(join(directory, "docker-"));
});

async function cli(
  args: readonly string[],
  options: { input?: string; path?: string } = {},
): Promise<Finished> {
  const finished = await call(["--address", at.daemon.address, "--namespace", at.client.namespace, ...args], {
    env: {
      DOCKER_CONFIG: config,
      ...(options.path !== undefined && { PATH: `${options.path}${delimiter}${process.env["PATH"]}` }),
    },
    ...(options.input !== undefined && { input: options.input }),
  });
  printed += `${finished.stdout}${finished.stderr}`;
  return finished;
}

const names = async (): Promise<string[]> =>
  (await at.client.images.list()).map(({ name }) => name).toSorted();
const configFile = (): string => join(config, "config.json");
const readConfig = async (): Promise<unknown> => JSON.parse(await readFile(configFile(), "utf8"));

test("an image is tagged, pushed, removed, and pulled again", async () => {
  const name = `${open.host}/team/busybox:1`;
  const tagged = await cli(["tag", "busybox", name]);
  expect({ code: tagged.code, stdout: tagged.stdout.toString() }).toEqual({ code: 0, stdout: `${name}\n` });

  const pushed = await cli(["--format", "json", "push", name]);
  expect(pushed.code).toBe(0);
  expect(pushed.stderr).toMatch(/: done/);
  const [{ digest }] = JSON.parse(pushed.stdout.toString());
  const { stdout: raw } = await run("skopeo", ["inspect", "--tls-verify=false", `docker://${name}`]);
  expect(JSON.parse(raw).Digest).toBe(digest);

  const removed = await cli(["rmi", name]);
  expect({ code: removed.code, stdout: removed.stdout.toString() }).toEqual({ code: 0, stdout: `${name}\n` });
  expect(await names()).toEqual(["docker.io/library/busybox:latest"]);

  const pulled = await cli(["--format", "json", "pull", "--progress", "json", name]);
  expect(JSON.parse(pulled.stdout.toString())).toEqual([{ name, digest }]);
  const states = pulled.stderr
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).state);
  // All of its blobs belong to busybox too, so the daemon still has them.
  expect(states).not.toContain("fetching");
  await cli(["rmi", name]);

  const byDaemon = await cli(["--format", "json", "pull", "--via", "daemon", "--progress", "none", name]);
  const { version } = await at.client.version();
  if (Number.parseInt(version, 10) >= 2)
    expect(JSON.parse(byDaemon.stdout.toString())).toEqual([{ name, digest }]);
  else
    expect(byDaemon).toMatchObject({
      code: 125,
      stderr: expect.stringContaining(`via: containerd ${version}`),
    });
  await cli(["rmi", name]);
});

test("a pull draws bars on a terminal, no more than it has lines, and each over itself", async () => {
  const layers = Array.from({ length: 12 }, (_, layer) => [{ path: `file-${layer}`, contents: `${layer}` }]);
  await putAsBuilt(open.origin, "many", "1", [await buildImage({ layers })]);
  const name = `${open.host}/many:1`;
  const size = { rows: 10, columns: 120 };
  const { address } = at.daemon;
  const command = `${process.execPath} ${MAIN} --address ${address} --namespace ${at.client.namespace} pull ${name}`;
  const { stdout } = await run("script", [
    "--quiet",
    "--return",
    "--command",
    `stty rows ${size.rows} cols ${size.columns}; exec ${command}`,
    "/dev/null",
  ]);
  const screen = new Screen(size);
  screen.write(stdout);
  // The two lines of the result come last, and scroll the first bars off the screen.
  expect(screen.lines.at(-2)).toMatch(/^NAME +DIGEST/);
  const bars = [...screen.scrolledOff, ...screen.lines.slice(0, -2)];
  expect(bars.at(-1)).toBe("and 4 done");
  expect(bars.slice(0, -1).filter((line) => / done +\[=+\]/.test(line))).toHaveLength(8);
  expect(new Set(bars).size).toBe(9);
  await at.client.images.remove(name, { sync: true });
});

test("one image is pushed by the name of another", async () => {
  const other = `${open.host}/other:2`;
  const { code } = await cli(["push", "busybox", "--as", other, "--progress", "none"]);
  expect(code).toBe(0);
  const { stdout } = await run("skopeo", ["inspect", "--tls-verify=false", `docker://${other}`]);
  expect(JSON.parse(stdout).Architecture).toBe("amd64");
});

test("images tells what they take", async () => {
  const { stdout } = await cli(["--format", "json", "images"]);
  const [image] = JSON.parse(stdout.toString());
  expect(image).toMatchObject({ name: "busybox", packed: expect.any(Number) });
  expect(image.unpacked).toBeGreaterThan(image.packed);
  const { stdout: table } = await cli(["images"]);
  expect(table.toString()).toMatch(
    /^NAME +DIGEST +PACKED +UNPACKED +CREATED\nbusybox +sha256:[0-9a-f]{64} +[\d.]+ [KM]iB/,
  );
});

test("images that ctr named in short form are listed, shown and removed by that name", async () => {
  const { target } = await at.client.images.get("busybox");
  await ctr(at, "image", "tag", "docker.io/library/busybox:latest", "mine:1");
  await at.client.images.put("mine:1", target);
  const listed = async (): Promise<string[]> => {
    const { stdout } = await cli(["--format", "json", "images"]);
    return JSON.parse(stdout.toString()).map(({ name }: { name: string }) => name);
  };
  // Each name leads to its own image, and to no other.
  expect(await listed()).toEqual(["busybox", "docker.io/library/mine:1", "mine:1"]);
  const [shown] = JSON.parse((await cli(["inspect", "mine:1"])).stdout.toString());
  expect(shown).toMatchObject({ name: "mine:1", target });
  expect((await cli(["rmi", "mine:1"])).stdout.toString()).toBe("mine:1\n");
  expect(await listed()).toEqual(["busybox", "mine:1"]);
  expect((await cli(["rmi", "mine:1"])).stdout.toString()).toBe("docker.io/library/mine:1\n");
  expect(await listed()).toEqual(["busybox"]);
});

describe("an odd image among others", () => {
  const odd = "docker.io/library/odd:1";

  async function put(target: Descriptor, documents: Documents): Promise<void> {
    const archive = await documents.archive([[target, { "io.containerd.image.name": odd }]]);
    await at.client.images.import(once(archive));
  }

  test("R4: a text is listed, marked, shown and removed; the others are as ever", async () => {
    const documents = createDocuments();
    await put(documents.add(Buffer.from("text"), "text/plain"), documents);
    const listed = JSON.parse((await cli(["--format", "json", "images"])).stdout.toString());
    expect(listed).toMatchObject([
      { name: "busybox", packed: expect.any(Number) },
      { name: "odd:1", problem: expect.stringContaining('its media type is "text/plain"') },
    ]);
    expect(listed[0]).not.toHaveProperty("problem");
    const table = (await cli(["images"])).stdout.toString();
    expect(table).toMatch(/^NAME +DIGEST +PACKED +UNPACKED +CREATED +PROBLEM\n/);
    expect(table).toMatch(/\nodd:1 .*is not a container image/);
    const [shown] = JSON.parse((await cli(["inspect", "odd:1"])).stdout.toString());
    expect(shown).toMatchObject({
      name: odd,
      target: { mediaType: "text/plain" },
      platforms: [],
      usage: { contentBytes: 4, problems: [expect.stringContaining("text/plain")] },
    });
    expect(await cli(["run", "odd:1"])).toMatchObject({
      code: 125,
      stderr: expect.stringContaining(`image ${odd}: `),
    });
    expect((await cli(["rmi", "odd:1"])).code).toBe(0);
  });

  test("R4: a checkpoint is listed as one", async () => {
    const documents = createDocuments();
    const { target } = await at.client.images.get("busybox");
    const platform = await at.client.introspection.daemonPlatform();
    const checkpoint = documents.addIndex([
      target,
      documents.add(Buffer.from("criu"), "application/vnd.containerd.container.criu.checkpoint.criu.tar", {
        platform,
      }),
      documents.add(Buffer.from("spec"), "application/vnd.containerd.container.checkpoint.config.v1+proto", {
        platform,
      }),
    ]);
    await put(checkpoint, documents);
    const listed = JSON.parse((await cli(["--format", "json", "images"])).stdout.toString());
    expect(listed).toMatchObject([
      { name: "busybox" },
      { name: "odd:1", problem: "a checkpoint of a container" },
    ]);
    await cli(["rmi", "odd:1"]);
  });

  describe("R3: a ladder of indexes, each of which lists the next thirty times", () => {
    async function expectDone(...calls: readonly (readonly string[])[]): Promise<void> {
      const documents = createDocuments();
      const { target } = await at.client.images.get("busybox");
      await put(addLadder(documents, target, { depth: 4, width: 30 }), documents);
      for (const args of calls) {
        const { code, stderr } = await cli(args);
        expect([args[0], code, stderr]).toEqual([args[0], 0, ""]);
      }
      await at.client.images.remove("odd:1", { sync: true });
    }

    test("is listed, shown and run", async () => {
      await expectDone(["images"], ["inspect", "odd:1"], ["run", "--pull", "never", "odd:1", "true"]);
    });

    test("is exported, pushed and pulled", async () => {
      const name = `${open.host}/ladder:1`;
      await expectDone(
        ["export", join(directory, "ladder.tar"), "odd:1"],
        ["push", "odd:1", "--as", name, "--progress", "none"],
        ["pull", name, "--all-platforms", "--progress", "none"],
      );
      await at.client.images.remove(name, { sync: true });
    });
  });
});

test.each(["tools:1", "No Reference"])(
  "R20: the image that ctr named %s is run, tagged and removed by the name that is listed",
  async (name) => {
    await ctr(at, "image", "tag", "docker.io/library/busybox:latest", name);
    const listed = JSON.parse((await cli(["--format", "json", "images"])).stdout.toString());
    expect(listed.map((each: { name: string }) => each.name)).toContain(name);
    const ran = await cli(["run", "--pull", "never", name, "echo", "from it"]);
    expect([ran.code, ran.stdout.toString(), ran.stderr]).toEqual([0, "from it\n", ""]);
    expect((await cli(["tag", name, "tagged:1"])).code).toBe(0);
    expect((await cli(["rmi", "tagged:1", name])).code).toBe(0);
    expect(await names()).toEqual(["docker.io/library/busybox:latest"]);
  },
);

test("R21: tags alone come in behind --base-name", async () => {
  const documents = createDocuments();
  const image = documents.addImage({ os: "linux", architecture: "s390x" });
  const tag = (name: string) => [image, { "org.opencontainers.image.ref.name": name }] as const;
  const file = join(directory, "tags.tar");
  await writeFile(file, await documents.archive([tag("1.0"), tag("latest")]));
  expect(await cli(["import", file])).toMatchObject({
    code: 125,
    stderr: expect.stringContaining(
      '--base-name is missing: the archive gives its images only tags, no names: "1.0", "latest"',
    ),
  });
  const imported = await cli(["--format", "json", "import", file, "--base-name", "example.com/app"]);
  expect(JSON.parse(imported.stdout.toString())).toMatchObject([
    { name: "example.com/app:1.0" },
    { name: "example.com/app:latest" },
  ]);
  expect((await cli(["rmi", "example.com/app:1.0", "example.com/app"])).code).toBe(0);
});

test("R22: a tag that its registry does not have is told by its name", async () => {
  const name = `${open.host}/no/such:tag`;
  expect(await cli(["pull", name, "--progress", "none"])).toMatchObject({
    code: 125,
    stderr: expect.stringContaining(
      `image ${name} is not found: ${open.host} has no tag tag in the repository no/such, or no such repository; check the name and the tag`,
    ),
  });
});

describe("rmi", () => {
  test("leaves all when one is not there", async () => {
    await cli(["tag", "busybox", "second"]);
    const { code, stderr } = await cli(["rmi", "second", "no-such-image"]);
    expect({ code, stderr }).toEqual({ code: 125, stderr: expect.stringContaining("no-such-image") });
    expect(await names()).toContain("docker.io/library/second:latest");
    await cli(["rmi", "second"]);
  });

  test("leaves what a container is made of, unless forced", async () => {
    await cli(["tag", "busybox", "used"]);
    const image = "docker.io/library/used:latest";
    await at.client.containers.create({
      id: "user-of-it",
      image,
      spec: {},
      snapshotKey: "",
      snapshotter: "overlayfs",
    });
    const refused = await cli(["rmi", "used"]);
    expect(refused).toMatchObject({ code: 125, stderr: expect.stringContaining("user-of-it") });
    expect(await names()).toContain(image);
    expect(await cli(["prune", "--dry-run"])).toMatchObject({
      code: 0,
      stdout: expect.not.stringContaining("used"),
    });
    expect((await cli(["rmi", "--force", "used"])).code).toBe(0);
    expect(await names()).not.toContain(image);
    await at.client.containers.delete("user-of-it");
  });
});

describe("prune", () => {
  test("by label and by age", async () => {
    const { target } = await at.client.images.get("busybox");
    for (const name of ["red", "blue"]) await at.client.images.put(name, target, { colour: name });
    const pruned = async (...flags: string[]): Promise<string[]> => {
      const { stdout, stderr } = await cli(["--format", "json", "prune", ...flags]);
      expect(stderr).toBe("");
      return JSON.parse(stdout.toString()).map(({ name }: { name: string }) => name.split("/").at(-1));
    };
    expect(await pruned("--until", "1h")).toEqual([]);
    expect(await pruned("--filter", "label=colour", "--dry-run")).toHaveLength(2);
    expect(await pruned("--filter", "label=colour", "--filter", "until=24h")).toEqual([]);
    expect(await pruned("--filter", "label=colour=red")).toEqual(["red:latest"]);
    expect(await pruned("--filter", "label=colour", "--filter", "label=colour=blue")).toEqual([
      "blue:latest",
    ]);
    expect(await names()).toEqual(["docker.io/library/busybox:latest"]);
  });

  test.each([
    [["--filter", "dangling=true"], /--filter/],
    [["--until", "yesterday"], /--until/],
  ])("refuses %j", async (flags, message) => {
    const { code, stderr } = await cli(["prune", ...flags]);
    expect({ code, stderr }).toEqual({ code: 125, stderr: expect.stringMatching(message) });
  });
});

test("inspect shows an image, and a container", async () => {
  await at.client.containers.create({
    id: "looked-at",
    image: "busybox",
    spec: { process: { cwd: "/" } },
    snapshotKey: "",
    snapshotter: "overlayfs",
  });
  const { stdout, code } = await cli(["inspect", "busybox", "looked-at"]);
  expect(code).toBe(0);
  const [image, container] = JSON.parse(stdout.toString());
  expect(image).toMatchObject({
    name: "docker.io/library/busybox:latest",
    platform: "linux/amd64",
    isUnpacked: true,
    config: { rootfs: { diff_ids: [expect.stringMatching(/^sha256:/)] } },
    usage: { snapshots: 1 },
  });
  expect(image.chainId).toMatch(/^sha256:/);
  expect(container).toMatchObject({ id: "looked-at", spec: { process: { cwd: "/" } }, task: null });
  await at.client.containers.delete("looked-at");
  expect(await cli(["inspect", "nothing-of-that-name"])).toMatchObject({
    code: 125,
    stderr: expect.stringContaining('there is no step and no image "nothing-of-that-name"'),
  });
});

test("inspect shows an image that is here for another platform only", async () => {
  const images = await Promise.all(
    ["arm64", "amd64"].map((architecture) =>
      buildImage({ layers: [[{ path: architecture, contents: architecture }]], architecture }),
    ),
  );
  await putAsBuilt(open.origin, "multi", "1", images);
  const name = `${open.host}/multi:1`;
  await at.client.images.pull(name, {
    auth: "anonymous",
    platform: { os: "linux", architecture: "arm64" },
  });
  const [image] = JSON.parse((await cli(["inspect", name])).stdout.toString());
  expect(image).toMatchObject({
    name,
    platform: "linux/arm64",
    platforms: ["linux/arm64"],
    manifest: { digest: images[0]?.manifest.digest },
    isUnpacked: true,
  });
  expect((await cli(["pull", "--all-platforms", "--progress", "none", name])).code).toBe(0);
  const [whole] = JSON.parse((await cli(["inspect", name])).stdout.toString());
  expect(whole).toMatchObject({ platform: "linux/amd64", platforms: ["linux/arm64", "linux/amd64"] });
  await at.client.images.remove(name, { sync: true });
});

test("what is exported is an OCI archive to others, and imported again the same", async () => {
  const file = join(directory, "busybox.tar");
  expect((await cli(["export", file, "busybox"])).code).toBe(0);
  const { stdout } = await run("skopeo", ["inspect", "--raw", `oci-archive:${file}`]);
  const { digest } = (await at.client.images.get("busybox")).target;
  expect(JSON.parse(stdout).layers).toHaveLength(1);
  const imported = await cli(["--format", "json", "import", file, "--name", "again"]);
  expect(JSON.parse(imported.stdout.toString())).toEqual([
    { name: "docker.io/library/again:latest", digest },
  ]);
  await cli(["rmi", "again"]);
});

test("pull and run tell each time that a registry is asked again, and pull tells what is not there", async () => {
  await putAsBuilt(open.origin, "flaky", "1", [
    await buildImage({ layers: [[{ path: "a", contents: "a" }]] }),
  ]);
  await using proxy = await startFaultProxy(open.origin);
  const name = `${proxy.host}/flaky:1`;
  const flaky = (): void => {
    proxy.reset();
    proxy.on(/manifests\/1/, (count) => (count < 4 ? { kind: "answer", status: 503 } : undefined));
  };
  const again = new RegExp(`^${name}: asking again in \\d\\.\\d s: http://.*/manifests/1 answers 503$`, "gm");
  flaky();
  const pulled = await cli(["pull", name]);
  expect(pulled).toMatchObject({ code: 0 });
  expect(pulled.stderr.match(again)).toHaveLength(2);
  await cli(["rmi", name]);
  flaky();
  expect((await cli(["run", name, "true"])).stderr.match(again)).toHaveLength(2);
  await cli(["rmi", name]);

  const missing = `${open.host}/flaky:no-such-tag`;
  expect(await cli(["pull", missing])).toMatchObject({
    code: 125,
    stderr: expect.stringContaining(`does not have the image ${missing}; check its name and tag`),
  });
});

test.each([
  ["pull", "localhost:99999/app:1"],
  ["push", "busybox", "--as", "localhost:99999/app:1"],
])("%s names a port that cannot be", async (...args) => {
  expect(await cli(args)).toMatchObject({
    code: 125,
    stderr: expect.stringMatching(/"localhost:99999" has an invalid port: 99999; allowed: 1 to 65535/),
  });
});

describe("login", () => {
  const login = (password: string, ...more: string[]): Promise<Finished> =>
    cli(["login", closed.host, "-u", "user", "--password-stdin", ...more], { input: `${password}\n` });

  test("keeps what the registry takes where docker keeps it; logout forgets it", async () => {
    await writeFile(
      configFile(),
      JSON.stringify({ psFormat: "x", auths: { "other.example": { auth: "dTpw" } } }),
    );
    const { code, stdout } = await login(PASSWORD);
    expect({ code, stdout: stdout.toString() }).toEqual({
      code: 0,
      stdout: `logged in at ${closed.host} as user\n`,
    });
    expect(await readConfig()).toEqual({
      psFormat: "x",
      auths: {
        "other.example": { auth: "dTpw" },
        [closed.host]: { auth: Buffer.from(`user:${PASSWORD}`).toString("base64") },
      },
    });
    expect((await stat(configFile())).mode & 0o777).toBe(0o600);

    const name = `${closed.host}/private:1`;
    expect((await cli(["push", "busybox", "--as", name, "--progress", "none"])).code).toBe(0);
    expect((await cli(["pull", name, "--progress", "none"])).code).toBe(0);
    await cli(["rmi", name]);

    expect((await cli(["logout", closed.host])).stdout.toString()).toBe(`logged out of ${closed.host}\n`);
    expect(await readConfig()).toEqual({ psFormat: "x", auths: { "other.example": { auth: "dTpw" } } });
    expect((await cli(["logout", closed.host])).stdout.toString()).toBe(`not logged in at ${closed.host}\n`);
    const refused = await cli(["pull", name, "--progress", "none"]);
    expect(refused).toMatchObject({ code: 125, stderr: expect.stringContaining("401") });
  });

  test("takes a URL for the registry, and so does logout", async () => {
    const input = `${PASSWORD}\n`;
    const url = `http://${closed.host}/v2/`;
    const { code, stdout } = await cli(["login", url, "-u", "user", "--password-stdin"], { input });
    expect({ code, stdout: stdout.toString() }).toEqual({
      code: 0,
      stdout: `logged in at ${closed.host} as user\n`,
    });
    expect(await readConfig()).toHaveProperty(["auths", closed.host]);
    expect((await cli(["logout", url])).stdout.toString()).toBe(`logged out of ${url}\n`);
    expect(await readConfig()).toEqual({ auths: {} });
  });

  test("gives it to the helper that is set", async () => {
    const path = join(config, "bin");
    await mkdir(path);
    const kept = join(config, "kept");
    const helper = join(path, "docker-credential-test");
    await writeFile(
      helper,
      `#!/bin/sh\ncase $1 in store) cat > ${kept};; erase) cat >/dev/null; rm ${kept};; esac\n`,
    );
    await chmod(helper, 0o755);
    await writeFile(configFile(), JSON.stringify({ credsStore: "test" }));
    const input = `${PASSWORD}\n`;
    await cli(["login", closed.host, "-u", "user", "--password-stdin"], { input, path });
    expect(JSON.parse(await readFile(kept, "utf8"))).toEqual({
      ServerURL: closed.host,
      Username: "user",
      Secret: PASSWORD,
    });
    expect(await readConfig()).toEqual({ credsStore: "test", auths: { [closed.host]: {} } });
    await cli(["logout", closed.host], { path });
    await expect(stat(kept)).rejects.toThrow("ENOENT");
    expect(await readConfig()).toEqual({ credsStore: "test", auths: {} });
  });

  test("keeps nothing that the registry does not take", async () => {
    const { code, stderr } = await login("wrong-password");
    expect({ code, stderr }).toEqual({ code: 125, stderr: expect.stringContaining("does not permit this") });
    expect(stderr).not.toContain("wrong-password");
    await expect(stat(configFile())).rejects.toThrow("ENOENT");
  });

  test("gives it to a token service elsewhere only when that is named", async () => {
    await using registry = await startFaultProxy();
    await using service = await startFaultProxy();
    // As a name, localhost is a different host than 127.0.0.1, where the registry is.
    const realm = service.origin.replace("127.0.0.1", "localhost");
    const headers = { "www-authenticate": `Bearer realm="${realm}/token"` };
    registry.on(/./, () =>
      registry.requests.at(-1)?.headers["authorization"] === "Bearer t"
        ? { kind: "answer", status: 200 }
        : { kind: "answer", status: 401, headers },
    );
    service.on(/./, { kind: "answer", status: 200, body: JSON.stringify({ token: "t" }) });
    const input = `${PASSWORD}\n`;
    const args = ["login", registry.host, "-u", "user", "--password-stdin"];
    const refused = await cli(args, { input });
    expect(refused).toMatchObject({ code: 125, stderr: expect.stringContaining("(--token-host)") });
    expect(service.requests).toEqual([]);
    expect((await cli([...args, "--token-host", "localhost"], { input })).code).toBe(0);
    expect(service.requests).toHaveLength(1);
  });

  test("leaves alone a file that is not docker's", async () => {
    await writeFile(configFile(), "not json");
    const { code, stderr } = await login(PASSWORD);
    expect({ code, stderr }).toEqual({ code: 125, stderr: expect.stringContaining("is not a JSON object") });
    expect(await readFile(configFile(), "utf8")).toBe("not json");
  });

  test.each([
    [["login", "ftp://registry.example.com", "-u", "u", "--password-stdin"], /has a scheme other than http/],
    [["login", "word", "-u", "u", "--password-stdin"], /"word" is not a registry/],
    [["login", "localhost:99999", "-u", "u", "--password-stdin"], /has an invalid port: 99999/],
    [["logout", "word"], /"word" is not a registry/],
    [["login", "--password-stdin"], /needs --username/],
    [["login", "-u", "a:b", "--password-stdin"], /contains a colon/],
    [["login", "-u", "u"], /cannot ask for the password: standard input is not a terminal/],
    [["login"], /cannot ask for the username: standard input is not a terminal/],
    [["login", "localhost:1", "-u", "u", "--password-stdin"], /nothing listens on this port/],
  ])("refuses %j", async (args, message) => {
    const { code, stderr } = await cli(args, { input: "some-password\n" });
    expect({ code, stderr }).toEqual({ code: 125, stderr: expect.stringMatching(message) });
    await expect(stat(configFile())).rejects.toThrow("ENOENT");
  });
});

test("volumes are listed, removed and pruned", async () => {
  const flags = ["-v", "data:/data", "--cache", "npm:/npm"];
  expect(
    (await cli(["run", ...flags, "busybox", "sh", "-c", "echo x > /data/x; echo x > /npm/x"])).code,
  ).toBe(0);
  const listed = JSON.parse((await cli(["--format", "json", "volume", "ls"])).stdout.toString());
  expect(listed).toMatchObject([
    { name: "data", kind: "volume", by: "" },
    { name: "npm", kind: "cache", by: "" },
  ]);
  expect((await cli(["volume", "prune", "--unused", "1h"])).stdout.toString()).toBe("");
  expect((await cli(["volume", "prune"])).stdout.toString()).toBe("npm\n");
  expect(await cli(["volume", "rm", "npm"])).toMatchObject({
    code: 125,
    stderr: expect.stringContaining("volume npm does not exist"),
  });
  expect(await cli(["volume", "prune", "--max-size", "much"])).toMatchObject({ code: 125 });
  expect((await cli(["volume", "rm", "data"])).stdout.toString()).toBe("data\n");
});
