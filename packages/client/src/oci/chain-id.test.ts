import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { chainId, chainIds } from "./chain-id.js";

const sha256 = (text: string): string => `sha256:${createHash("sha256").update(text).digest("hex")}`;

/** The definition in the OCI image spec, as code. */
function specified(diffIds: readonly string[]): string {
  if (diffIds.length === 1) return diffIds[0] as string;
  return sha256(`${specified(diffIds.slice(0, -1))} ${diffIds.at(-1)}`);
}

test("is the specification's recursion, for each prefix", () => {
  const diffId = fc.string().map(sha256);
  fc.assert(
    fc.property(fc.array(diffId, { minLength: 1, maxLength: 12 }), (diffIds) => {
      expect(chainId(diffIds)).toBe(specified(diffIds));
      expect(chainIds(diffIds)).toEqual(diffIds.map((_, at) => specified(diffIds.slice(0, at + 1))));
    }),
  );
});

test("no layers have no chain ID", () => {
  expect(chainId([])).toBe("");
  expect(chainIds([])).toEqual([]);
});
