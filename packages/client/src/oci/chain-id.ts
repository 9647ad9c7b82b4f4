import { digestOf } from "./digest.js";

/**
 * The chain ID of a stack of layers: the name of its committed snapshot (OCI image spec, config.md).
 *
 * @param diffIds digests of the uncompressed layers, lowest first.
 * @returns a digest; empty without layers.
 */
export function chainId(diffIds: readonly string[]): string {
  return chainIds(diffIds).at(-1) ?? "";
}

/** The chain IDs of all layers, lowest first: each stands for a layer with those below it. */
export function chainIds(diffIds: readonly string[]): string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const parent = chain.at(-1);
    chain.push(parent === undefined ? diffId : digestOf(`${parent} ${diffId}`));
  }
  return chain;
}
