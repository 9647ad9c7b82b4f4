import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { dockerCredentials, eraseDockerCredential, storeDockerCredential } from "./docker-config.js";

let directory: string;
let env: NodeJS.ProcessEnv;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "docker-config-"));
  env = { DOCKER_CONFIG: directory, PATH: `${directory}${delimiter}${process.env["PATH"]}` };
});
afterEach(() => rm(directory, { recursive: true }));

const configure = (config: object | string): Promise<void> =>
  writeFile(join(directory, "config.json"), typeof config === "string" ? config : JSON.stringify(config));
const configured = async (): Promise<unknown> =>
  JSON.parse(await readFile(join(directory, "config.json"), "utf8"));
const find = (host: string): Promise<unknown> => dockerCredentials({ env })(host);
const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** A credential helper in shell that writes down how it was called, and what it was told. */
async function helper(name: string, body: string): Promise<void> {
  const file = join(directory, `docker-credential-${name}`);
  await writeFile(
    file,
    `#!/bin/sh\necho "args: $*" >> ${directory}/calls\ninput=$(cat)\necho "stdin: $input" >> ${directory}/calls\n${body}\n`,
  );
  await chmod(file, 0o755);
}
const calls = (): Promise<string> => readFile(join(directory, "calls"), "utf8");

describe("auths", () => {
  it.each([
    ["registry.example.com", "registry.example.com"],
    ["https://registry.example.com", "registry.example.com"],
    ["https://registry.example.com/v2/", "registry.example.com"],
    ["registry.example.com:443", "registry.example.com"],
    ["Registry.Example.com", "registry.example.com"],
    ["https://index.docker.io/v1/", "docker.io"],
    ["docker.io", "docker.io"],
  ])("under %s are those of %s", async (key, host) => {
    await configure({
      auths: { "other.example": { auth: base64("no:no") }, [key]: { auth: base64("user:pass:word") } },
    });
    expect(await find(host)).toEqual({ username: "user", password: "pass:word" });
  });

  it.each([
    "example.com",
    "evil-registry.example.com",
    "registry.example.com.evil.net",
    "registry.example.com:5000",
  ])("of registry.example.com are not those of %s", async (host) => {
    await configure({ auths: { "registry.example.com": { auth: base64("user:password") } } });
    expect(await find(host)).toBeUndefined();
  });

  it.each([
    [
      { username: "user", password: "pass" },
      { username: "user", password: "pass" },
    ],
    [{ identitytoken: "refresh", auth: base64("user:") }, { identityToken: "refresh" }],
    [{ registrytoken: "bearer" }, { registryToken: "bearer" }],
    [{}, undefined],
    [{ auth: "" }, undefined],
  ])("may say %j", async (entry, expected) => {
    await configure({ auths: { "a.example": entry } });
    expect(await find("a.example")).toEqual(expected);
  });

  it("that are missing are none", async () => {
    expect(await find("a.example")).toBeUndefined();
    await configure({});
    expect(await find("a.example")).toBeUndefined();
  });

  it.each(["{ not json: hunter2", "[]", '"hunter2"'])(
    "in a file that is %s are an error that does not quote it",
    async (text) => {
      await configure(text);
      await expect(find("a.example")).rejects.toThrow(/config\.json is no JSON object/);
      await expect(find("a.example")).rejects.toThrow(/^((?!hunter2).)*$/s);
    },
  );

  it("without a user name are an error that does not quote them", async () => {
    await configure({ auths: { "a.example": { auth: base64("hunter2") } } });
    await expect(find("a.example")).rejects.toThrow(/auths\.a\.example\.auth/);
  });
});

describe("helpers", () => {
  it("are asked by stdin, and answer by stdout; no secret is an argument", async () => {
    await helper("test", `echo '{"ServerURL":"'$input'","Username":"user","Secret":"hunter2"}'`);
    await configure({ credsStore: "test" });
    expect(await find("a.example:5000")).toEqual({ username: "user", password: "hunter2" });
    expect(await find("docker.io")).toEqual({ username: "user", password: "hunter2" });
    expect(await calls()).toBe(
      "args: get\nstdin: a.example:5000\nargs: get\nstdin: https://index.docker.io/v1/\n",
    );
  });

  it("may give an identity token", async () => {
    await helper("test", `echo '{"Username":"<token>","Secret":"refresh"}'`);
    await configure({ credHelpers: { "a.example": "test" } });
    expect(await find("a.example")).toEqual({ identityToken: "refresh" });
    expect(await find("b.example")).toBeUndefined();
  });

  it("of one registry come before the one for all", async () => {
    await helper("one", `echo '{"Username":"one","Secret":"1234"}'`);
    await helper("all", `echo '{"Username":"all","Secret":"1234"}'`);
    await configure({ credsStore: "all", credHelpers: { "a.example": "one" } });
    expect(await find("a.example")).toMatchObject({ username: "one" });
    expect(await find("b.example")).toMatchObject({ username: "all" });
  });

  it("that know nothing leave it to the file", async () => {
    await helper("test", "echo 'credentials not found in native keychain'; exit 1");
    await configure({
      credsStore: "test",
      auths: { "a.example": { auth: base64("user:word") }, "b.example": {} },
    });
    expect(await find("a.example")).toEqual({ username: "user", password: "word" });
    expect(await find("b.example")).toBeUndefined();
  });

  it.each(["../evil", "/bin/sh", "a/b", "", ".", "a b", "a\0b", "a".repeat(300), 7])(
    "bad input 25: called %j are refused, and nothing is run",
    async (name) => {
      await configure({ credHelpers: { "a.example": name } });
      await expect(find("a.example")).rejects.toMatchObject({
        kind: "invalid-argument",
        message: /no slash/,
      });
    },
  );

  it.each([
    ["echo hunter2; exit 1", "exits with 1"],
    ["echo hunter2 >&2; exit 7", "exits with 7"],
    ["echo hunter2", "JSON"],
    ['echo \'{"Secret":"hunter2"}\'', "without Username"],
    ["kill -9 $$", "SIGKILL"],
    ["yes hunter2", "prints more than"],
  ])("that do %s fail without being quoted", async (body, problem) => {
    await helper("test", body);
    await configure({ credsStore: "test" });
    await expect(find("a.example")).rejects.toThrow(problem);
    await expect(find("a.example")).rejects.toThrow(/^((?!hunter2).)*$/s);
  });

  it("that are not there are named", async () => {
    await configure({ credsStore: "absent" });
    await expect(find("a.example")).rejects.toThrow("docker-credential-absent is not on the PATH");
  });

  it("are ended with the caller", async () => {
    await helper("test", "exec sleep 1000");
    await configure({ credsStore: "test" });
    const asked = dockerCredentials({ env })("a.example", { signal: AbortSignal.timeout(50) });
    await expect(asked).rejects.toMatchObject({ kind: "canceled" });
  });
});

describe("logging in and out", () => {
  const user = { username: "user", password: "hunter2" };

  it("keeps everything else in the file, and the file for its owner", async () => {
    await configure({
      auths: { "b.example": { auth: "eA==" }, "https://a.example/v1/": {} },
      HttpHeaders: { a: "b" },
    });
    await storeDockerCredential("a.example", user, { env });
    expect(await configured()).toEqual({
      auths: { "b.example": { auth: "eA==" }, "a.example": { auth: base64("user:hunter2") } },
      HttpHeaders: { a: "b" },
    });
    expect((await stat(join(directory, "config.json"))).mode & 0o777).toBe(0o600);
    expect(await find("a.example")).toEqual(user);
    expect(await eraseDockerCredential("a.example", { env })).toBe(true);
    expect(await eraseDockerCredential("a.example", { env })).toBe(false);
    expect(await find("a.example")).toBeUndefined();
  });

  it("makes the directory, and takes docker's name for its hub", async () => {
    const fresh = { directory: join(directory, "new", "docker") };
    await storeDockerCredential("docker.io", { identityToken: "refresh" }, fresh);
    const text = await readFile(join(fresh.directory, "config.json"), "utf8");
    expect(JSON.parse(text)).toEqual({
      auths: { "https://index.docker.io/v1/": { identitytoken: "refresh" } },
    });
    expect((await stat(fresh.directory)).mode & 0o777).toBe(0o700);
  });

  it("writes through a link", async () => {
    const real = join(directory, "real.json");
    await writeFile(real, "{}");
    await symlink("real.json", join(directory, "config.json"));
    await storeDockerCredential("a.example", user, { env });
    expect(JSON.parse(await readFile(real, "utf8"))).toHaveProperty("auths");
  });

  it("goes through the helper where there is one, and keeps the secret out of the file", async () => {
    await helper("test", "");
    await configure({ credsStore: "test" });
    await storeDockerCredential("a.example", user, { env });
    expect(await configured()).toEqual({ credsStore: "test", auths: { "a.example": {} } });
    await eraseDockerCredential("a.example", { env });
    expect(await configured()).toEqual({ credsStore: "test", auths: {} });
    expect(await calls()).toBe(
      'args: store\nstdin: {"ServerURL":"a.example","Username":"user","Secret":"hunter2"}\nargs: erase\nstdin: a.example\n',
    );
  });
});
