import { describe, expect, test } from "vitest";
import { proxyFor } from "./proxy.js";

const PROXY = "http://proxy.example:3128";
const isDirect = (url: string, noProxy: string): boolean =>
  proxyFor(new URL(url), { HTTPS_PROXY: PROXY, HTTP_PROXY: PROXY, NO_PROXY: noProxy }) === undefined;

describe("the proxy", () => {
  test.each([
    [{ HTTPS_PROXY: PROXY }, "https://a.example", `${PROXY}/`],
    [{ https_proxy: PROXY }, "https://a.example", `${PROXY}/`],
    [{ HTTPS_PROXY: PROXY, https_proxy: "http://other" }, "https://a.example", `${PROXY}/`],
    [{ HTTPS_PROXY: "", https_proxy: PROXY }, "https://a.example", `${PROXY}/`],
    [{ HTTP_PROXY: PROXY }, "https://a.example", undefined],
    [{ HTTP_PROXY: PROXY }, "http://a.example", `${PROXY}/`],
    [{ HTTPS_PROXY: PROXY }, "http://a.example", undefined],
    [{ HTTPS_PROXY: "proxy.example:3128" }, "https://a.example", `${PROXY}/`],
    [{ HTTPS_PROXY: "proxy.example" }, "https://a.example", "http://proxy.example/"],
    [{ HTTPS_PROXY: "socks5://proxy.example:1080" }, "https://a.example", "socks5://proxy.example:1080"],
    [{}, "https://a.example", undefined],
  ])("of %j for %s is %s", (env, url, proxy) => {
    expect(proxyFor(new URL(url), env)?.href).toBe(proxy);
  });

  test.each(["ftp://user:canary@proxy.example", "http://", "user:canary@bad host"])(
    "is refused when it is %j",
    (text) => {
      expect(() => proxyFor(new URL("https://a.example"), { HTTPS_PROXY: text })).toThrow(
        /^HTTPS_PROXY is not the URL of a proxy; (?!.*canary)/,
      );
    },
  );

  test.each(["http://localhost:5000", "https://127.0.0.1", "https://127.9.9.9", "https://[::1]:5000"])(
    "is never for this machine itself: %s",
    (url) => {
      expect(isDirect(url, "")).toBe(true);
    },
  );
});

describe("NO_PROXY", () => {
  test.each([
    ["*", "https://a.example"],
    ["other, *", "https://a.example"],
    ["10.0.0.0/8", "https://10.1.2.3:5000"],
    ["10.1.2.3/32", "https://10.1.2.3"],
    ["0.0.0.0/0", "https://192.0.2.1"],
    ["fd00::/8", "https://[fd12::1]"],
    ["192.0.2.1", "http://192.0.2.1:5000"],
    ["192.0.2.1:5000", "http://192.0.2.1:5000"],
    ["2001:db8::1", "https://[2001:db8:0::1]"],
    ["[2001:db8::1]:443", "https://[2001:db8::1]"],
    ["a.example", "https://a.example"],
    ["A.Example", "https://a.EXAMPLE"],
    ["a.example", "https://registry.a.example"],
    ["example", "https://a.example"],
    [".a.example", "https://registry.a.example"],
    ["*.a.example", "https://deep.registry.a.example"],
    ["a.example:443", "https://a.example"],
    ["a.example:80", "http://registry.a.example"],
    [".a.example:5000", "https://b.a.example:5000"],
    [" ,, b.example , a.example ", "https://a.example"],
  ])("%j excludes %s", (noProxy, url) => {
    expect(isDirect(url, noProxy)).toBe(true);
  });

  test.each([
    ["", "https://a.example"],
    ["10.0.0.0/8", "https://11.0.0.1"],
    ["10.0.0.0/8", "https://10.example"],
    ["10.0.0.0/99", "https://10.0.0.1"],
    ["fd00::/8", "https://10.0.0.1"],
    ["192.0.2.1:5000", "http://192.0.2.1"],
    ["192.0.2", "http://192.0.2.1"],
    [".a.example", "https://a.example"],
    ["*.a.example", "https://a.example"],
    ["a.example", "https://ba.example"],
    ["a.example", "https://a.example.net"],
    ["a.example:80", "https://a.example"],
    ["a.example:5000", "https://a.example:5001"],
    ["a*.example", "https://a.example"],
    ["a.example b.example", "https://a.example"],
    [":443", "https://a.example"],
  ])("%j does not exclude %s", (noProxy, url) => {
    expect(isDirect(url, noProxy)).toBe(false);
  });
});
