import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { directoryNames, hostsFromDirectories } from "./hosts.js";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "certs.d-"));
});
afterEach(() => rm(root, { recursive: true }));

async function put(file: string, text: string): Promise<void> {
  await mkdir(join(root, file, ".."), { recursive: true });
  await writeFile(join(root, file), text);
}

const hosts = (registry: string, more: object = {}) =>
  hostsFromDirectories({ directories: [root], ...more })(registry);

describe("without configuration", () => {
  test.each([
    ["docker.io", "https://registry-1.docker.io"],
    ["registry.example.com", "https://registry.example.com"],
    ["registry.example.com:5000", "https://registry.example.com:5000"],
    ["localhost:5000", "http://localhost:5000"],
    ["127.0.0.1:5000", "http://127.0.0.1:5000"],
    ["localhost:443", "https://localhost:443"],
    ["10.0.0.1:80", "https://10.0.0.1:80"],
  ])("%s is at %s", async (registry, origin) => {
    expect(await hosts(registry)).toMatchObject([{ origin, path: "/v2" }]);
  });

  test("plain http is only for hosts that were named for it", async () => {
    const plainHttp = ["registry.lan:5000"];
    expect(await hosts("registry.lan:5000", { plainHttp })).toMatchObject([
      { origin: "http://registry.lan:5000" },
    ]);
    expect(await hosts("registry.lan", { plainHttp })).toMatchObject([{ origin: "https://registry.lan" }]);
  });

  test("an authority that is given means https, here too", async () => {
    expect(await hosts("localhost:5000", { ca: "PEM" })).toMatchObject([
      { origin: "https://localhost:5000", tls: { ca: ["PEM"] } },
    ]);
  });
});

describe("with directories", () => {
  test("looks for the name with its port in the ways that containerd does", () => {
    expect(directoryNames("a.example:5000")).toEqual(["a.example_5000_", "a.example:5000", "_default"]);
    expect(directoryNames("docker.io")).toEqual(["docker.io", "_default"]);
  });

  test("reads certificates beside the file", async () => {
    await put("a.example/hosts.toml", `ca = "ca.pem"\nclient = [["me.cert", "me.key"]]`);
    for (const name of ["ca.pem", "me.cert", "me.key"]) await put(`a.example/${name}`, name);
    expect(await hosts("a.example", { ca: "GENERAL" })).toMatchObject([
      {
        origin: "https://a.example",
        tls: {
          ca: ["GENERAL", "ca.pem"],
          clientPairs: [{ cert: "me.cert", key: "me.key" }],
          skipVerify: false,
        },
      },
    ]);
  });

  test("reads docker's certificates where there is no hosts.toml", async () => {
    for (const name of ["one.crt", "two.crt", "me.cert", "me.key"]) await put(`localhost:5000/${name}`, name);
    expect(await hosts("localhost:5000")).toMatchObject([
      {
        origin: "https://localhost:5000",
        tls: { ca: ["one.crt", "two.crt"], clientPairs: [{ cert: "me.cert", key: "me.key" }] },
      },
    ]);
  });

  test("takes _default for every registry that has none of its own", async () => {
    await put("_default/hosts.toml", `[host."https://mirror.example"]`);
    await put("own.example/hosts.toml", "");
    expect((await hosts("docker.io")).map(({ origin }) => origin)).toEqual([
      "https://mirror.example",
      "https://registry-1.docker.io",
    ]);
    expect((await hosts("own.example")).map(({ origin }) => origin)).toEqual(["https://own.example"]);
  });

  test.each([
    ["hosts.toml", "ca = ", "hosts.toml"],
    ["hosts.toml", `ca = "missing.pem"`, "missing.pem"],
    ["me.cert", "PEM", "me.key"],
  ])("does not go on without a %s that it cannot use", async (name, text, problem) => {
    await put(`a.example/${name}`, text);
    await expect(hosts("a.example")).rejects.toThrow(problem);
  });
});
