import { realpath } from "node:fs/promises";
import type { Client } from "@wfe-containerd/client";

/** The path of a local daemon's socket. */
export function socketPathOf({ address }: Pick<Client, "address">): string {
  return address.replace(/^unix:\/\//, "");
}

/** A path without links. One that cannot be resolved stays as it is. */
export async function resolvePath(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}
