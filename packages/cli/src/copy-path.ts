import { UsageError } from "./failure.js";

/** What an operand of `cp` names. */
export type CopyPath =
  | { readonly type: "step"; readonly step: string; readonly path: string }
  | { readonly type: "local"; readonly path: string }
  /** Standard input or output: a tar archive. */
  | { readonly type: "stream" };

/**
 * Reads an operand of `cp` by docker's rules: `STEP:PATH`, a path of this machine, or `-`. A path of this
 * machine that has a colon begins with `/` or `.`.
 */
export function parseCopyPath(text: string): CopyPath {
  if (text === "-") return { type: "stream" };
  const at = text.indexOf(":");
  if (/^[/.]/.test(text) || at < 1) return { type: "local", path: text };
  const path = text.slice(at + 1);
  if (path === "")
    throw new UsageError(`${text}: the path is missing; allowed: STEP:PATH; example: build:/tmp/out`);
  // As in docker, a path in a container begins at its root.
  return { type: "step", step: text.slice(0, at), path: path.startsWith("/") ? path : `/${path}` };
}

/** What is copied: the directory that it is in, and its name there. */
export interface CopySource {
  readonly directory: string;
  /** `.`: the contents of the directory. */
  readonly name: string;
}

/** As in docker, `/.` at the end means the contents of a directory. */
export function splitSource(path: string): CopySource {
  if (/(?:^|\/)\.$/.test(path)) return { directory: path, name: "." };
  const plain = path.replace(/\/+$/, "");
  if (plain === "") return { directory: "/", name: "." };
  const at = plain.lastIndexOf("/");
  return { directory: at === -1 ? "." : plain.slice(0, at) || "/", name: plain.slice(at + 1) };
}
