import { createExecutor } from "@wfe-containerd/executor";

// The daemon is named by WFE_CONTAINERD_ADDR; without it, the one at /run/containerd/containerd.sock.
await using executor = createExecutor();

const result = await executor.run({
  name: "greet",
  image: "busybox:latest",
  run: 'echo "hello from $(uname -s)" && echo "##wfe[output greeting=hello]"',
  timeoutMs: 30_000,
});

console.log(result.exitCode, result.stdout, result.outputs);
