import { expect, test } from "vitest";
import { describeOutage, describeRequest, describeRetry, describeRpc, describeTransfer } from "./lines.js";
import type { RegistryRequestDiagnostic, RpcDiagnostic, TransferDiagnostic } from "./messages.js";

const RPC: RpcDiagnostic = {
  service: "containerd.services.tasks.v1.Tasks",
  method: "Create",
  isStream: false,
  address: "unix:///a.sock",
  transport: "unix",
  namespace: "ci",
  attempt: 1,
};
const REQUEST: RegistryRequestDiagnostic = {
  method: "GET",
  host: "registry.example.com:5000",
  scheme: "https",
  repository: "team/app",
  resource: "blobs",
  sentBytes: 0,
  receivedBytes: 0,
};
const PULL: TransferDiagnostic = {
  operation: "pull",
  image: "docker.io/library/alpine:3.20",
  address: "unix:///a.sock",
  namespace: "ci",
  via: "client",
};

test.each([
  [describeRpc({ ...RPC, durationMs: 1.26, code: 0 }), "rpc Tasks.Create, namespace ci, 1.3 ms"],
  [
    describeRpc({ ...RPC, attempt: 2, durationMs: 2500, errorKind: "unavailable" }),
    "rpc Tasks.Create, namespace ci, attempt 2, failed after 2.50 s: unavailable",
  ],
  [
    describeRequest({ ...REQUEST, status: 200, receivedBytes: 12, durationMs: 3 }),
    "registry GET https://registry.example.com:5000 team/app blobs, status 200, received 12 bytes, 3.0 ms",
  ],
  [
    describeRequest({ ...REQUEST, repository: undefined, resource: "tokens", durationMs: 3, sentBytes: 5 }),
    "registry GET https://registry.example.com:5000 tokens, sent 5 bytes, 3.0 ms",
  ],
  [describeTransfer(PULL), "pull docker.io/library/alpine:3.20, begins"],
  [
    describeTransfer({ ...PULL, via: "daemon", digest: "sha256:1", durationMs: 1000 }),
    "pull docker.io/library/alpine:3.20, by the daemon, sha256:1, 1.00 s",
  ],
  [describeOutage({ address: "unix:///a.sock", reason: "gone" }), "daemon unix:///a.sock is away: gone"],
  [
    describeOutage({ address: "unix:///a.sock", reason: "gone", durationMs: 1500 }),
    "daemon unix:///a.sock is back, 1.50 s later",
  ],
  [
    describeRetry({ of: "rpc", what: "tasks.create", attempt: 2, delayMs: 100, reason: "gone" }),
    "rpc tasks.create: attempt 2 in 100.0 ms, because gone",
  ],
  [
    describeRetry({ of: "step", what: "build", attempt: 3, delayMs: 2000, reason: "oom" }),
    "step build: attempt 3 in 2.00 s, because oom",
  ],
])("a line says what happened: %s", (line, expected) => {
  expect(line).toBe(expected);
});
