import { generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { checkClientPairs } from "./client-pair.js";

const pem = { format: "pem", type: "pkcs8" } as const;
const ec = (): string => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export(pem).toString();
const ed = (): string => generateKeyPairSync("ed25519").privateKey.export(pem).toString();
const pairsOf = (...keys: string[]) => keys.map((key) => ({ cert: "PEM", key }));

describe("checkClientPairs", () => {
  test("takes one, whatever it is, and one of each kind", () => {
    for (const keys of [[], ["PEM"], [ec(), ed()]]) {
      expect(checkClientPairs("hosts.toml: client", pairsOf(...keys))).toEqual(pairsOf(...keys));
    }
  });

  test("refuses two of a kind, and keys that it cannot tell apart", () => {
    const refused =
      (...keys: string[]) =>
      () =>
        checkClientPairs("hosts.toml: client", pairsOf(...keys));
    expect(refused(ec(), ed(), ec())).toThrow(
      /^hosts\.toml: client has several .* kind ec, .*allowed: one certificate of each/,
    );
    expect(refused(ec(), "PEM")).toThrow("hosts.toml: client has a key that cannot be read");
  });
});
