import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isContainerdError } from "../error.js";
import { checkRealm, type RealmRules } from "./realm.js";

function rules(registry: string, more: Partial<RealmRules> = {}): RealmRules {
  return {
    registry: new URL(registry),
    withCredential: true,
    allowed: new Set(),
    mayBePlain: new Set(),
    ...more,
  };
}

describe("checkRealm", () => {
  test.each([
    ["https://registry-1.docker.io", "https://auth.docker.io/token"],
    ["https://registry.gitlab.com", "https://gitlab.com/jwt/auth"],
    ["https://ghcr.io", "https://ghcr.io/token"],
    ["https://registry.example.com:5000", "https://registry.example.com:5001/token"],
    ["https://registry.example.co.uk", "https://gitlab.example.co.uk/jwt/auth"],
    ["https://registry.sap.io", "https://auth.sap.io/token"],
    ["https://registry.ibm.de", "https://login.ibm.de/token"],
    ["https://registry.example.com.au", "https://auth.example.com.au/token"],
    ["https://registry.cn-hangzhou.aliyuncs.com", "https://dockerauth.cn-hangzhou.aliyuncs.com/auth"],
    ["https://one.azurecr.io", "https://one.azurecr.io/oauth2/token"],
    ["https://r.team.github.io", "https://auth.team.github.io/token"],
    ["http://127.0.0.1:5000", "http://127.0.0.1:5001/token"],
    ["http://localhost:5000", "https://localhost:5001/token"],
  ])("lets %s send a credential to %s", async (registry, realm) => {
    expect((await checkRealm(realm, rules(registry))).href).toBe(realm);
  });

  test.each([
    ["https://registry.example.com", "https://evil.example.net/token"],
    ["https://registry.example.com", "https://registry.example.com.evil.net/token"],
    ["https://registry.example.com", "https://notexample.com/token"],
    ["https://a.co.uk", "https://b.co.uk/token"],
    ["https://a.com.au", "https://b.com.au/token"],
    ["https://a.or.jp", "https://b.or.jp/token"],
    ["https://a.ny.us", "https://b.ny.us/token"],
    ["https://a.bj.cn", "https://b.bj.cn/token"],
    ["https://registry.com", "https://evil.com/token"],
    ["https://sap.io", "https://evil.io/token"],
    ["https://good.github.io", "https://evil.github.io/token"],
    ["https://good.azurecr.io", "https://evil.azurecr.io/oauth2/token"],
    ["https://good.jfrog.io", "https://evil.jfrog.io/token"],
    ["https://good.westeurope.cloudapp.azure.com", "https://evil.cloudapp.azure.com/token"],
    ["https://10-0-0-1.nip.io", "https://10-0-0-2.nip.io/token"],
    ["https://github.io", "https://evil.github.io/token"],
    ["http://127.0.0.1:5000", "http://127.0.0.2:5001/token"],
    ["http://127.0.0.1:5000", "http://localhost:5001/token"],
    ["https://10.0.0.1", "https://10.0.0.2/token"],
    ["https://localhost", "https://evil.localhost.evil.net/token"],
  ])("does not let %s send a credential to %s", async (registry, realm) => {
    await expect(checkRealm(realm, rules(registry))).rejects.toThrow(
      /outside the registry.s domain; .*tokenHosts \(--token-host\)/,
    );
  });

  test.each([
    ["https://registry.example.com", "http://registry.example.com/token", "https"],
    ["https://localhost:5000", "http://localhost:5001/token", "https"],
    ["http://127.0.0.1:5000", "http://auth.example.com/token", "https"],
    ["https://registry.example.com", "https://127.0.0.1/token", "this machine"],
    ["https://registry.example.com", "https://169.254.169.254/latest", "this machine"],
    ["https://registry.example.com", "https://u:p@registry.example.com/token", "with credentials in the URL"],
    ["https://registry.example.com", "ftp://registry.example.com/token", "https"],
    ["https://registry.example.com", "token", "where"],
    ["https://registry.example.com", undefined, "where"],
  ])("does not follow %s to %s, credential or not", async (registry, realm, problem) => {
    for (const withCredential of [true, false]) {
      await expect(checkRealm(realm, rules(registry, { withCredential }))).rejects.toThrow(problem);
    }
  });

  test("lets a registry send us elsewhere when no credential is sent, or when that host was named", async () => {
    const realm = "https://auth.docker.io/token";
    const registry = "https://images.example.org";
    for (const more of [{ withCredential: false }, { allowed: new Set(["auth.docker.io"]) }])
      expect((await checkRealm(realm, rules(registry, more))).href).toBe(realm);
  });

  test("throws nothing but our own error, and never takes a credential off https or off the domain", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          fc.webUrl({ withQueryParameters: true }),
          fc.domain().map((name) => `https://${name}.example.com/token`),
        ),
        async (text) => {
          try {
            const realm = await checkRealm(text, rules("https://registry.example.com"));
            expect(realm.protocol).toBe("https:");
            expect(realm.hostname).toMatch(/(?:^|\.)example\.com$/);
          } catch (reason) {
            if (!isContainerdError(reason, "permission-denied")) throw reason;
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
