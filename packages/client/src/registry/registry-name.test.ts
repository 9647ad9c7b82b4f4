import { describe, expect, test } from "vitest";
import { parseRegistryName } from "./registry-name.js";

describe("parseRegistryName", () => {
  test.each([
    ["registry.example.com", "registry.example.com"],
    ["registry.example.com:5000", "registry.example.com:5000"],
    ["Registry.Example.com", "Registry.Example.com"],
    ["https://registry.example.com", "registry.example.com"],
    ["HTTPS://registry.example.com/", "registry.example.com"],
    ["http://registry.example.com:5000/v2/", "registry.example.com:5000"],
    ["registry.example.com/", "registry.example.com"],
    ["registry.example.com/team/app", "registry.example.com"],
    ["https://index.docker.io/v1/", "docker.io"],
    ["docker.io", "docker.io"],
    ["localhost", "localhost"],
    ["[::1]:5000", "[::1]:5000"],
    ["https://[::1]:5000/v2/", "[::1]:5000"],
    ["127.0.0.1:65535", "127.0.0.1:65535"],
  ])("reads %s as %s", (text, host) => {
    expect(parseRegistryName(text)).toBe(host);
  });

  test.each([
    ["", /is empty/],
    ["word", /is not a registry/],
    ["team/app", /is not a registry/],
    ["a b.example", /is not a registry/],
    ["a.example:port", /is not a registry/],
    ["a.example:", /is not a registry/],
    ["::1", /is not a registry/],
    ["a.example\n", /is not a registry/],
    ["ftp://a.example", /has a scheme other than http and https/],
    ["user:hunter2@a.example", /contains credentials/],
    ["https://user:hunter2@a.example/", /contains credentials/],
    ["a.example:99999", /has an invalid port: 99999; allowed: 1 to 65535/],
    ["a.example:0", /has an invalid port: 0; allowed: 1 to 65535/],
  ])("refuses %j with a word that says why, and shows no password", (text, problem) => {
    expect(() => parseRegistryName(text)).toThrow(problem);
    expect(() => parseRegistryName(text)).toThrow(/^((?!hunter2).)*$/s);
  });
});
