import type { Interceptor, Transport } from "@connectrpc/connect";
import { parseAddress } from "./address.js";
import { type CallOptions, call } from "./call.js";
import { createServices, type Services } from "./context.js";
import { createChannel } from "./transport/channel.js";
import { createGrpcTransport } from "./transport/transport.js";

export interface ClientOptions {
  readonly address?: string;
  readonly namespace?: string;
  readonly snapshotter?: string;
  readonly timeoutMs?: number;
  readonly interceptors?: readonly Interceptor[];
}

export interface Client extends AsyncDisposable {
  readonly address: string;
  readonly isLocal: boolean;
  readonly namespace: string;
  readonly snapshotter: string;
  readonly leaseId: string | undefined;
  readonly transport: Transport;
  readonly services: Services;
  version(options?: CallOptions): Promise<{ version: string; revision: string }>;
  with(scope: { namespace?: string; leaseId?: string; snapshotter?: string }): Client;
  close(): Promise<void>;
}

export function createClient(options: ClientOptions = {}): Client {
  const address = parseAddress(options.address ?? process.env["WFE_CONTAINERD_ADDR"] ?? process.env["CONTAINERD_ADDRESS"] ?? "/run/containerd/containerd.sock");
  const channel = createChannel(address);
  const view = (namespace: string, snapshotter: string, leaseId: string | undefined, close: () => Promise<void>): Client => {
    const headers = { "containerd-namespace": namespace, ...(leaseId !== undefined && { "containerd-lease": leaseId }) };
    const transport = createGrpcTransport({ channel, headers, timeoutMs: options.timeoutMs ?? 30_000, interceptors: options.interceptors ?? [] });
    const services = createServices(transport);
    return {
      address: address.text,
      isLocal: address.isLocal,
      namespace, snapshotter, leaseId, transport, services,
      version: (o = {}) => call("version", async () => { const { version, revision } = await services.version.version({}, o as never); return { version, revision }; }),
      with: (scope) => view(scope.namespace ?? namespace, scope.snapshotter ?? snapshotter, scope.leaseId ?? leaseId, async () => undefined),
      close,
      [Symbol.asyncDispose]: close,
    };
  };
  return view(options.namespace ?? process.env["CONTAINERD_NAMESPACE"] ?? "default", options.snapshotter ?? process.env["CONTAINERD_SNAPSHOTTER"] ?? "overlayfs", undefined, async () => channel.close());
}
