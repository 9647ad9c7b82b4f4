import { ContainerdError } from "./error.js";

/** Where a daemon is. */
export interface Address {
  /** As it is printed: `unix:///run/containerd/containerd.sock`, `tcp://127.0.0.1:2500`, `https://host:2500`. */
  readonly text: string;
  /** As grpc-js takes it. */
  readonly target: string;
  readonly isLocal: boolean;
  readonly isTls: boolean;
}

export function parseAddress(text: string): Address {
  if (text.startsWith("/")) return { text: `unix://${text}`, target: `unix://${text}`, isLocal: true, isTls: false };
  if (text.startsWith("unix:///")) return { text, target: text, isLocal: true, isTls: false };
  const match = /^(tcp|http|https):\/\/(\[[0-9a-fA-F:]+\]|[^:/\s]+):(\d+)$/.exec(text);
  if (match === null) throw new ContainerdError(`address: ${text} is none; allowed: /path, unix:///path, tcp://host:port, http://host:port, https://host:port`, { kind: "invalid-argument" });
  const [, scheme, host, port] = match;
  return { text: scheme === "http" ? `tcp://${host}:${port}` : text, target: `dns:${host}:${port}`, isLocal: false, isTls: scheme === "https" };
}
