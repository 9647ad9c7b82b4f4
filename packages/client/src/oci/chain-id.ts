import { createHash } from "node:crypto";

/** A digest of a stack of layers, the name of its committed snapshot; from the diff IDs, lowest first (OCI image spec, config.md). */
export function chainId(diffIds: readonly string[]): string {
  return chainIds(diffIds).at(-1) ?? "";
}

/** The chain ID of each prefix of the stack: one a layer. */
export function chainIds(diffIds: readonly string[]): string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const parent = chain.at(-1);
    chain.push(
      parent === undefined
        ? diffId
        : `sha256:${createHash("sha256").update(`${parent} ${diffId}`).digest("hex")}`,
    );
  }
  return chain;
}
