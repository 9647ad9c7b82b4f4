import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
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

/** A credential helper as a shell script. It records its arguments and its input. */
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
  test.each([
    ["registry.example.com", "registry.example.com"],
    ["https://registry.example.com", "registry.example.com"],
    ["https://registry.example.com/v2/", "registry.example.com"],
    ["registry.example.com:443", "registry.example.com"],
    ["Registry.Example.com", "registry.example.com"],
    ["https://index.docker.io/v1/", "docker.io"],
    ["docker.io", "docker.io"],
    ["index.docker.io", "docker.io"],
    ["https://registry-1.docker.io/v2/", "docker.io"],
    ["registry.example.com:443", "registry.example.com:443"],
    ["http://registry.example.com:5000/v1/", "registry.example.com:5000"],
    ["https://user@registry.example.com", "registry.example.com"],
    ["registry.example.com/team/app", "registry.example.com"],
    ["HTTPS://REGISTRY.example.com/v1/", "registry.example.com"],
    ["https://[::1]:5000/v1/", "[::1]:5000"],
  ])("under %s are those of %s", async (key, host) => {
    await configure({
      auths: { "other.example": { auth: base64("no:no") }, [key]: { auth: base64("user:pass:word") } },
    });
    expect(await find(host)).toEqual({ username: "user", password: "pass:word" });
  });

  describe.each([
    ["registry.example.com", ["registry.example.com", "https://registry.example.com/v1/"]],
    ["registry.example.com", ["registry.example.com", "registry.example.com/team/app"]],
    ["registry.example.com", ["registry.example.com", "registry.example.com:443"]],
    ["registry.example.com", ["registry.example.com", "REGISTRY.example.com"]],
    ["registry.example.com", ["https://registry.example.com/v1/", "registry.example.com/team/app"]],
    ["registry.example.com", ["https://registry.example.com", "http://registry.example.com"]],
    ["registry.example.com:5000", ["registry.example.com:5000", "https://registry.example.com:5000/v2/"]],
    ["docker.io", ["https://index.docker.io/v1/", "docker.io"]],
    ["docker.io", ["https://index.docker.io/v1/", "index.docker.io"]],
    ["docker.io", ["docker.io", "registry-1.docker.io"]],
  ])("of %s under the keys %j", (host, [right = "", other = ""]) => {
    test.each([
      ["in this order", [right, other]],
      ["in the other order", [other, right]],
    ])("are those of the first, %s", async (_, keys) => {
      const auths = Object.fromEntries(
        keys.map((key) => [key, { auth: base64(key === right ? "user:right" : "user:other") }]),
      );
      await configure({ auths });
      expect(await find(host)).toEqual({ username: "user", password: "right" });
    });
  });

  test("under an empty exact key are none, as in docker", async () => {
    await configure({ auths: { "https://a.example/v1/": { auth: base64("user:old") }, "a.example": {} } });
    expect(await find("a.example")).toBeUndefined();
    await configure({ auths: { "https://a.example/v1/": { auth: base64("user:old") }, "a.example": null } });
    expect(await find("a.example")).toBeUndefined();
  });

  test.each([
    "example.com",
    "evil-registry.example.com",
    "registry.example.com.evil.net",
    "registry.example.com:5000",
  ])("of registry.example.com are not those of %s", async (host) => {
    await configure({ auths: { "registry.example.com": { auth: base64("user:password") } } });
    expect(await find(host)).toBeUndefined();
  });

  test.each([
    [
      { username: "user", password: "pass" },
      { username: "user", password: "pass" },
    ],
    [{ identitytoken: "refresh", auth: base64("user:") }, { identityToken: "refresh" }],
    [{ registrytoken: "bearer" }, { registryToken: "bearer" }],
    [{}, undefined],
    [{ auth: "" }, undefined],
    [{ auth: null, identitytoken: null }, undefined],
    [
      { username: "field", password: "field", auth: base64("user:word") },
      { username: "user", password: "word" },
    ],
    [{ auth: base64("user:word\0\0\0") }, { username: "user", password: "word" }],
    [{ auth: base64("user:p:a:ss") }, { username: "user", password: "p:a:ss" }],
    [{ auth: base64("user:pass").replace(/=+$/, "") }, { username: "user", password: "pass" }],
    [{ auth: base64("user:") }, { username: "user", password: "" }],
    [{ Auth: base64("user:word") }, { username: "user", password: "word" }],
    [{ IdentityToken: "refresh", auth: base64("user:word") }, { identityToken: "refresh" }],
    [{ email: "someone@a.example" }, undefined],
  ])("may say %j", async (entry, expected) => {
    await configure({ auths: { "a.example": entry } });
    expect(await find("a.example")).toEqual(expected);
  });

  test("that are missing are none", async () => {
    expect(await find("a.example")).toBeUndefined();
    await configure({});
    expect(await find("a.example")).toBeUndefined();
  });

  test.each(["", " \n", "null", "{}", '{"auths": null, "credsStore": null, "credHelpers": null}'])(
    "in a file with %j are none",
    async (text) => {
      await configure(text);
      expect(await find("a.example")).toBeUndefined();
      await storeDockerCredential("a.example", { username: "user", password: "hunter2" }, { env });
      expect(await find("a.example")).toEqual({ username: "user", password: "hunter2" });
    },
  );

  test("are read and written under a field's name in any case, as Go does", async () => {
    await configure({ Auths: { "a.example": { auth: base64("user:word") } }, CredsStore: "" });
    expect(await find("a.example")).toEqual({ username: "user", password: "word" });
    expect(await eraseDockerCredential("a.example", { env })).toBe(true);
    expect(await configured()).toEqual({ Auths: {}, CredsStore: "" });
  });

  test.each([
    "{ not json: hunter2",
    "[]",
    '"hunter2"',
    '{"auths": ["hunter2"]}',
    '{"auths": {"a.example": "hunter2"}}',
  ])("in a file that is %s are an error that does not quote it", async (text) => {
    await configure(text);
    await expect(find("a.example")).rejects.toThrow(
      /config\.json: .* is not an? (?:JSON )?object; allowed: /,
    );
    await expect(find("a.example")).rejects.toThrow(/^((?!hunter2).)*$/s);
  });

  test("without a user name are an error that does not quote them", async () => {
    await configure({ auths: { "a.example": { auth: base64("hunter2") } } });
    await expect(find("a.example")).rejects.toThrow(/auths\.a\.example\.auth/);
  });
});

describe("helpers", () => {
  test("are asked by stdin, and answer by stdout; no secret is an argument", async () => {
    await helper("test", `echo '{"ServerURL":"'$input'","Username":"user","Secret":"hunter2"}'`);
    await configure({ credsStore: "test" });
    expect(await find("a.example:5000")).toEqual({ username: "user", password: "hunter2" });
    expect(await find("docker.io")).toEqual({ username: "user", password: "hunter2" });
    expect(await calls()).toBe(
      "args: get\nstdin: a.example:5000\nargs: get\nstdin: https://index.docker.io/v1/\n",
    );
  });

  test("may give an identity token", async () => {
    await helper("test", `echo '{"Username":"<token>","Secret":"refresh"}'`);
    await configure({ credHelpers: { "a.example": "test" } });
    expect(await find("a.example")).toEqual({ identityToken: "refresh" });
    expect(await find("b.example")).toBeUndefined();
  });

  test("of one registry come before the one for all", async () => {
    await helper("one", `echo '{"Username":"one","Secret":"1234"}'`);
    await helper("all", `echo '{"Username":"all","Secret":"1234"}'`);
    await configure({ credsStore: "all", credHelpers: { "a.example": "one" } });
    expect(await find("a.example")).toMatchObject({ username: "one" });
    expect(await find("b.example")).toMatchObject({ username: "all" });
  });

  test("that know nothing leave it to the file", async () => {
    await helper("test", "echo 'credentials not found in native keychain'; exit 1");
    await configure({
      credsStore: "test",
      auths: { "a.example": { auth: base64("user:word") }, "b.example": {} },
    });
    expect(await find("a.example")).toEqual({ username: "user", password: "word" });
    expect(await find("b.example")).toBeUndefined();
  });

  test.each(["", null])(
    "called %j for a registry are no helper for it, nor is the one for all",
    async (name) => {
      await helper("all", `echo '{"Username":"all","Secret":"1234"}'`);
      const auths = { "a.example": { auth: base64("user:word") } };
      await configure({ credsStore: "all", credHelpers: { "a.example": name }, auths });
      expect(await find("a.example")).toEqual({ username: "user", password: "word" });
      expect(await find("b.example")).toMatchObject({ username: "all" });
      await storeDockerCredential("a.example", { username: "user", password: "new" }, { env });
      expect(await find("a.example")).toEqual({ username: "user", password: "new" });
    },
  );

  test("are asked by the name under which somebody logged in, where that is another", async () => {
    await helper(
      "test",
      `[ "$input" = "https://a.example/v1/" ] && echo '{"Username":"u","Secret":"1234"}' || echo {}`,
    );
    await configure({ credsStore: "test", auths: { "https://a.example/v1/": {} } });
    expect(await find("a.example")).toEqual({ username: "u", password: "1234" });
    expect(await calls()).toBe("args: get\nstdin: a.example\nargs: get\nstdin: https://a.example/v1/\n");
  });

  test.each([
    [`echo '{"username":"user","secret":"1234"}'`, { username: "user", password: "1234" }],
    [`echo '{"USERNAME":"user","SECRET":"1234","serverurl":"x"}'`, { username: "user", password: "1234" }],
    [`echo '{"Username":"user","Secret":"1234"}'; echo done`, { username: "user", password: "1234" }],
    [`echo '{"username":"<token>","secret":"1234"}'`, { identityToken: "1234" }],
    ["echo '{}'", undefined],
    ["echo null", undefined],
    [`echo '{"Username":"","Secret":""}'`, undefined],
    [`echo '{"Username":null,"Secret":null}'`, undefined],
    ["echo 'credentials not found in native keychain'", undefined],
    ["echo 'credentials not found in native keychain'; exit 1", undefined],
    ["echo 'credentials not found in native keychain'; exit 9", undefined],
  ])("that do %s are understood as docker does", async (body, expected) => {
    await helper("test", body);
    await configure({ credsStore: "test" });
    expect(await find("a.example")).toEqual(expected);
  });

  test.each(["../evil", "/bin/sh", "a/b", ".", "a b", "a\0b", "a".repeat(300)])(
    "bad input 25: called %j are refused, and nothing is run",
    async (name) => {
      await configure({ credHelpers: { "a.example": name } });
      await expect(find("a.example")).rejects.toMatchObject({
        kind: "invalid-argument",
        message: expect.stringContaining("is not the name of a credential helper"),
      });
    },
  );

  test.each([
    ["echo hunter2; exit 1", "exits with 1"],
    ["echo hunter2 >&2; exit 7", "exits with 7"],
    ["echo hunter2", "JSON"],
    ["true", "JSON"],
    ['echo \'{"Secret":"hunter2"}\'', "without a Username"],
    ['echo \'{"Username":7,"Secret":"hunter2"}\'', "is not text"],
    ["kill -9 $$", "SIGKILL"],
    ["yes hunter2", "prints more than"],
  ])("that do %s fail without being quoted", async (body, problem) => {
    await helper("test", body);
    await configure({ credsStore: "test" });
    await expect(find("a.example")).rejects.toThrow(problem);
    await expect(find("a.example")).rejects.toThrow(/^((?!hunter2).)*$/s);
  });

  test.each([
    [{ credsStore: "absent" }, "credsStore"],
    [{ credHelpers: { "a.example": "absent" } }, "credHelpers.a.example"],
  ])("that are not installed are named, with the file and field: %j", async (config, field) => {
    await configure(config);
    const message = `${join(directory, "config.json")}: ${field}: "absent" names the program docker-credential-absent, which is not on the PATH`;
    await expect(find("a.example")).rejects.toThrow(message);
    await expect(
      storeDockerCredential("a.example", { username: "u", password: "p" }, { env }),
    ).rejects.toThrow(message);
    await expect(eraseDockerCredential("a.example", { env })).rejects.toThrow(message);
  });

  test.each([7, ["a"], {}])("called %j are an error that names the field", async (name) => {
    await configure({ credHelpers: { "a.example": name } });
    await expect(find("a.example")).rejects.toThrow(/credHelpers\.a\.example is not text/);
    await configure({ credsStore: name });
    await expect(find("a.example")).rejects.toThrow(/credsStore is not text/);
  });

  test("are ended with the caller", async () => {
    await helper("test", "exec sleep 1000");
    await configure({ credsStore: "test" });
    const asked = dockerCredentials({ env })("a.example", { signal: AbortSignal.timeout(50) });
    await expect(asked).rejects.toMatchObject({ kind: "canceled" });
  });
});

describe("logging in and out", () => {
  const user = { username: "user", password: "hunter2" };

  test("keeps everything else in the file, and the file for its owner", async () => {
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

  test("makes the directory, and takes docker's name for its hub", async () => {
    const fresh = { directory: join(directory, "new", "docker") };
    await storeDockerCredential("docker.io", { identityToken: "refresh" }, fresh);
    const text = await readFile(join(fresh.directory, "config.json"), "utf8");
    expect(JSON.parse(text)).toEqual({
      auths: { "https://index.docker.io/v1/": { identitytoken: "refresh" } },
    });
    expect((await stat(fresh.directory)).mode & 0o777).toBe(0o700);
  });

  test("writes through a link", async () => {
    const real = join(directory, "real.json");
    await writeFile(real, "{}");
    await symlink("real.json", join(directory, "config.json"));
    await storeDockerCredential("a.example", user, { env });
    expect(JSON.parse(await readFile(real, "utf8"))).toHaveProperty("auths");
  });

  test("goes through the helper where there is one, and keeps the secret out of the file", async () => {
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

  test.each([
    ["https://a.example", "a.example"],
    ["a.example/", "a.example"],
    ["https://a.example/v2/", "a.example"],
    ["A.Example", "a.example"],
    ["a.example", "https://a.example/v1/"],
    ["https://a.example/v1/", "a.example"],
    ["a.example:443", "a.example"],
    ["https://index.docker.io/v1/", "docker.io"],
    ["docker.io", "https://index.docker.io/v1/"],
    ["word", "word"],
  ])("at %s forgets what is under %s", async (typed, key) => {
    await configure({ auths: { [key]: { auth: base64("user:hunter2") }, "b.example": {} } });
    expect(await eraseDockerCredential(typed, { env })).toBe(true);
    expect(await configured()).toEqual({ auths: { "b.example": {} } });
  });

  test("forgets every spelling, so that no older credential comes back", async () => {
    const entry = { auth: base64("user:hunter2") };
    await configure({
      auths: { "a.example": entry, "https://a.example/v1/": entry, "a.example:443": entry },
    });
    expect(await eraseDockerCredential("https://a.example", { env })).toBe(true);
    expect(await configured()).toEqual({ auths: {} });
  });

  test.each([
    ["exit 0", true],
    ["echo 'credentials not found in native keychain'; exit 1", false],
    ["echo 'credentials not found in native keychain'", false],
  ])("is told of a credential that only a helper has, which does %s", async (body, isKnown) => {
    await helper("test", body);
    await configure({ credsStore: "test" });
    expect(await eraseDockerCredential("https://a.example", { env })).toBe(isKnown);
    expect(await calls()).toBe("args: erase\nstdin: a.example\n");
  });

  test("fails where the helper fails to erase, and leaves the file as it is", async () => {
    await helper("test", "exit 3");
    await configure({ credsStore: "test", auths: { "a.example": {} } });
    await expect(eraseDockerCredential("a.example", { env })).rejects.toThrow("exits with 3");
    expect(await configured()).toEqual({ credsStore: "test", auths: { "a.example": {} } });
  });

  test.each(["word", "", "user:hunter2@a.example", "a.example:99999", "ftp://a.example"])(
    "at %j is refused, and nothing changes",
    async (typed) => {
      await configure({ auths: { "a.example": {} } });
      const refused = {
        kind: "invalid-argument",
        message: expect.stringMatching(/^registry: ((?!hunter2).)*$/),
      };
      await expect(eraseDockerCredential(typed, { env })).rejects.toMatchObject(refused);
      await expect(storeDockerCredential(typed, user, { env })).rejects.toMatchObject(refused);
      expect(await configured()).toEqual({ auths: { "a.example": {} } });
    },
  );

  test.each([
    ["https://a.example", "a.example"],
    ["a.example/team", "a.example"],
    ["https://index.docker.io/v1/", "https://index.docker.io/v1/"],
  ])("at %s keeps the credential under %s", async (typed, key) => {
    await storeDockerCredential(typed, user, { env });
    expect(await configured()).toEqual({ auths: { [key]: { auth: base64("user:hunter2") } } });
  });
});

describe("other places", () => {
  const auths = (password: string) => ({ auths: { "a.example": { auth: base64(`user:${password}`) } } });

  test("DOCKER_AUTH_CONFIG counts before the file, and the file for what it does not have", async () => {
    await configure({ auths: { ...auths("file").auths, "b.example": { auth: base64("user:b") } } });
    env = { ...env, DOCKER_AUTH_CONFIG: JSON.stringify(auths("text")) };
    expect(await find("a.example")).toEqual({ username: "user", password: "text" });
    expect(await find("b.example")).toEqual({ username: "user", password: "b" });
    env = { ...env, DOCKER_AUTH_CONFIG: "" };
    expect(await find("a.example")).toEqual({ username: "user", password: "file" });
  });

  test("DOCKER_AUTH_CONFIG that is not JSON is an error that names it, and does not quote it", async () => {
    env = { ...env, DOCKER_AUTH_CONFIG: "{hunter2" };
    await expect(find("a.example")).rejects.toThrow(
      /^DOCKER_AUTH_CONFIG: the content is not a JSON object((?!hunter2).)*$/s,
    );
  });

  test("REGISTRY_AUTH_FILE counts before docker's file, and is where a login is kept", async () => {
    const file = join(directory, "auth.json");
    await configure({ auths: { ...auths("docker").auths, "b.example": { auth: base64("user:b") } } });
    env = { ...env, REGISTRY_AUTH_FILE: file };
    expect(await find("a.example")).toEqual({ username: "user", password: "docker" });
    await writeFile(file, JSON.stringify(auths("podman")));
    expect(await find("a.example")).toEqual({ username: "user", password: "podman" });
    expect(await find("b.example")).toEqual({ username: "user", password: "b" });
    await storeDockerCredential("c.example", { username: "user", password: "c" }, { env });
    expect(JSON.parse(await readFile(file, "utf8"))).toHaveProperty(["auths", "c.example"]);
    expect(await eraseDockerCredential("a.example", { env })).toBe(true);
    expect(await find("a.example")).toBeUndefined();
  });

  test("are not looked into when a directory is given", async () => {
    await configure(auths("file"));
    const more = {
      ...env,
      DOCKER_AUTH_CONFIG: JSON.stringify(auths("text")),
      REGISTRY_AUTH_FILE: "/nowhere",
    };
    expect(await dockerCredentials({ directory, env: more })("a.example")).toMatchObject({
      password: "file",
    });
  });
});
