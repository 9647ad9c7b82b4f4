import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isContainerdError } from "../error.js";
import { parseHostsFile } from "./hosts-file.js";

const parse = (text: string) => parseHostsFile("hosts.toml", text);
const all = new Set(["pull", "resolve", "push"]);

describe("parseHostsFile", () => {
  test("reads mirrors in their order, and the server last", () => {
    const entries = parse(`
      server = "https://registry-1.docker.io"
      [host."https://public-mirror.example.com"]
        capabilities = ["pull"]
      [host."https://docker-mirror.internal"]
        capabilities = ["pull", "resolve"]
        ca = "docker-mirror.crt"
      [host."http://192.168.31.250:5000"]
        skip_verify = true
        dial_timeout = "1m30s"
    `);
    expect(entries.map(({ origin }) => origin)).toEqual([
      "https://public-mirror.example.com",
      "https://docker-mirror.internal",
      "http://192.168.31.250:5000",
      "https://registry-1.docker.io",
    ]);
    expect(entries.map(({ capabilities }) => [...capabilities].join())).toEqual([
      "pull",
      "pull,resolve",
      "pull,resolve,push",
      "pull,resolve,push",
    ]);
    expect(entries[1]?.caFiles).toEqual(["docker-mirror.crt"]);
    expect(entries[2]).toMatchObject({ skipVerify: true, dialTimeoutMs: 90_000 });
  });

  test("means the registry itself where no server is named", () => {
    expect(parse(`ca = ["/a.pem", "b.pem"]`)).toEqual([
      {
        origin: undefined,
        path: "/v2",
        capabilities: all,
        headers: {},
        caFiles: ["/a.pem", "b.pem"],
        clientFiles: [],
        skipVerify: false,
        dialTimeoutMs: undefined,
      },
    ]);
  });

  test.each([
    ["https://r.example", "", "https://r.example", "/v2"],
    ["r.example:5000", "", "https://r.example:5000", "/v2"],
    ["https://r.example/cache", "", "https://r.example", "/cache/v2"],
    ["https://r.example/cache/v2/", "", "https://r.example", "/cache/v2"],
    ["https://r.example/v2/upstream", "override_path = true", "https://r.example", "/v2/upstream"],
    ["https://r.example", "override_path = true", "https://r.example", ""],
  ])("gets from %s %s to where the API is", (server, more, origin, path) => {
    expect(parse(`server = "${server}"\n${more}`)[0]).toMatchObject({ origin, path });
  });

  test.each([
    [`client = "both.pem"`, [{ cert: "both.pem", key: "both.pem" }]],
    [
      `client = ["a.pem", "b.pem"]`,
      [
        { cert: "a.pem", key: "a.pem" },
        { cert: "b.pem", key: "b.pem" },
      ],
    ],
    [
      `client = [["a.cert", "a.key"], ["b.pem", ""]]`,
      [
        { cert: "a.cert", key: "a.key" },
        { cert: "b.pem", key: "b.pem" },
      ],
    ],
  ])("reads %s", (text, clientFiles) => {
    expect(parse(text)[0]?.clientFiles).toEqual(clientFiles);
  });

  test("reads headers, of a mirror for it alone", () => {
    const [mirror, own] = parse(`
      [header]
        x-one = "1"
      [host."https://m.example".header]
        X-Two = ["a", "b"]
    `);
    expect([mirror?.headers, own?.headers]).toEqual([{ "x-two": "a, b" }, { "x-one": "1" }]);
  });

  test("takes the capability referrers for what it is: none that is used here", () => {
    expect(parse(`capabilities = ["Pull", "referrers"]`)[0]?.capabilities).toEqual(new Set(["pull"]));
  });

  test.each([
    [`server = `, "TOML"],
    [`server = 5`, "server"],
    [`server = "https://u:p@r.example"`, "credentials"],
    [`server = "https://"`, "server"],
    [`capabilities = ["pull", "delete"]`, "delete"],
    [`capabilities = "everything"`, "everything"],
    [`skip_verify = "yes"`, "skip_verify"],
    [`skip_verfy = true`, "skip_verfy"],
    [`dial_timeout = "soon"`, "dial_timeout"],
    [`dial_timeout = 5`, "dial_timeout"],
    [`client = [["a", "b", "c"]]`, "client"],
    [`client = [[]]`, "client"],
    [`ca = 7`, "ca"],
    [`host = "https://m.example"`, "host"],
    [`[host."https://m.example".host."https://n.example"]`, "host"],
    [`[header]\n"a b" = "c"`, "header"],
    [`[header]\nauthorization = "Basic secret\\r\\nx: y"`, "authorization"],
  ])("refuses %s, and says what is wrong without saying a secret", (text, problem) => {
    expect(() => parse(text)).toThrow(problem);
    expect(() => parse(text)).toThrow(/^((?!secret).)*$/s);
  });

  test("throws nothing but our own error", () => {
    const word = fc.constantFrom(
      "server",
      "host",
      "ca",
      "=",
      '"',
      "[",
      "]",
      ".",
      "\n",
      "https://a",
      "true",
      " ",
      "header",
      "client",
      ",",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(word).map((words) => words.join("")),
        ),
        (text) => {
          try {
            parse(text);
          } catch (reason) {
            if (!isContainerdError(reason, "invalid-argument")) throw reason;
          }
        },
      ),
    );
  });
});
