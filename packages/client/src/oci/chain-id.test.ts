import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { chainId, chainIds } from "./chain-id.js";

const diffId = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => `sha256:${Buffer.from(bytes).toString("hex")}`);
const stack = fc.array(diffId, { maxLength: 12 });

/** As the spec defines it: of one layer its diff ID; of more, the digest of "chain ID of those below, space, diff ID of the top one". */
function bySpec(layers: readonly string[]): string {
  const top = layers.at(-1);
  if (top === undefined) return "";
  const below = layers.slice(0, -1);
  if (below.length === 0) return top;
  return `sha256:${createHash("sha256")
    .update(`${bySpec(below)} ${top}`)
    .digest("hex")}`;
}

test("is what the OCI spec's recursion gives", () => {
  fc.assert(
    fc.property(stack, (layers) => {
      expect(chainId(layers)).toBe(bySpec(layers));
    }),
  );
});

test("there is one for each layer, and that of a prefix is that of the stack at its height", () => {
  fc.assert(
    fc.property(stack, (layers) => {
      const all = chainIds(layers);
      expect(all).toHaveLength(layers.length);
      for (const [at, id] of all.entries()) expect(id).toBe(chainId(layers.slice(0, at + 1)));
    }),
  );
});

test("a layer more or another order is another one", () => {
  fc.assert(
    fc.property(stack, diffId, diffId, (layers, one, other) => {
      fc.pre(one !== other);
      expect(chainId([...layers, one])).not.toBe(chainId(layers));
      expect(chainId([...layers, one, other])).not.toBe(chainId([...layers, other, one]));
    }),
  );
});

test("known to be so", () => {
  // sha256 of "sha256:aa…aa sha256:bb…bb", as sha256sum gives it.
  const [a, b] = [`sha256:${"a".repeat(64)}`, `sha256:${"b".repeat(64)}`];
  expect(chainIds([a, b])).toEqual([
    a,
    "sha256:ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c",
  ]);
});
