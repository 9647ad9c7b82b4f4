import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isContainerdError } from "../error.js";
import { isLoopback, showUrl } from "./plain-http.js";
import { redirectHeaders, redirectTarget } from "./redirect.js";

const none = new Set<string>();
const registry = new URL("https://registry.example.com/v2/a/blobs/sha256:0");

describe("redirectTarget", () => {
  test.each([
    ["/elsewhere", "https://registry.example.com/elsewhere"],
    ["https://cdn.example.net/blob?signature=x", "https://cdn.example.net/blob?signature=x"],
    ["//cdn.example.net/blob", "https://cdn.example.net/blob"],
  ])("follows %s", (location, expected) => {
    expect(redirectTarget(registry, location, none).href).toBe(expected);
  });

  test.each([
    ["http://registry.example.com/v2/a", "plain http"],
    ["http://127.0.0.1/a", "plain http"],
    ["http://cdn.example.net/a", "plain http"],
    ["https://127.0.0.1:10250/pods", "only this machine"],
    ["https://169.254.169.254/latest", "only this machine"],
    ["ftp://cdn.example.net/a", "ftp:"],
    ["file:///etc/passwd", "file:"],
    ["https://user:secret@cdn.example.net/", "credentials"],
    ["https://", "not a URL"],
    ["", "without a Location"],
    [undefined, "without a Location"],
  ])("refuses %s, from https", (location, problem) => {
    expect(() => redirectTarget(registry, location, new Set(["cdn.example.net"]))).toThrow(problem);
  });

  test("takes plain http from a plain registry to this machine, or to a host that was named for it", () => {
    const plain = new URL("http://127.0.0.1:5000/v2/");
    expect(redirectTarget(plain, "http://localhost:9000/x", none).host).toBe("localhost:9000");
    expect(redirectTarget(plain, "http://cache.lan/x", new Set(["cache.lan"])).host).toBe("cache.lan");
    expect(() => redirectTarget(plain, "http://169.254.169.254/latest", none)).toThrow("not this machine");
  });

  test("shows no secret that a URL carries", () => {
    const signed = new URL("https://cdn.example.net/blob?X-Amz-Signature=secret#secret");
    expect(() => redirectTarget(signed, "http://other/?token=secret", none)).toThrow(/^((?!secret).)*$/);
    expect(showUrl(signed)).toBe("https://cdn.example.net/blob");
  });

  test("throws nothing but our own error, and never leaves https", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.webUrl()), (location) => {
        try {
          expect(redirectTarget(registry, location, none).protocol).toBe("https:");
        } catch (reason) {
          if (!isContainerdError(reason, "permission-denied")) throw reason;
        }
      }),
    );
  });
});

describe("redirectHeaders", () => {
  const headers = {
    Authorization: "Bearer x",
    Cookie: "a",
    "X-Registry-Key": "k",
    Range: "bytes=5-",
    accept: "a/b",
  };

  test("keeps everything within one origin", () => {
    expect(redirectHeaders(registry, new URL("/x", registry), headers)).toEqual(headers);
  });

  test.each([
    "https://registry.example.com:444/x",
    "https://cdn.registry.example.com/x",
    "https://example.com/x",
  ])("tells %s nothing of who asks", (to) => {
    expect(redirectHeaders(registry, new URL(to), headers)).toEqual({ Range: "bytes=5-", accept: "a/b" });
  });
});

describe("isLoopback", () => {
  test.each([
    "localhost",
    "localhost:5000",
    "LOCALHOST",
    "a.localhost",
    "127.0.0.1:1",
    "127.1.2.3",
    "[::1]:5000",
    "[::1]",
  ])("knows %s for this machine", (host) => {
    expect(isLoopback(host)).toBe(true);
  });
  test.each(["127.0.0.1.example.com", "localhost.example.com", "10.0.0.1", "[::2]:1", "notlocalhost", ""])(
    "does not take %s for it",
    (host) => {
      expect(isLoopback(host)).toBe(false);
    },
  );
});
