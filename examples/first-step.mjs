import { createExecutor } from "@wfe-containerd/executor";

const executor = createExecutor();
try {
  const result = await executor.run({
    name: "greet",
    image: "busybox:latest",
    run: 'echo "hello from $(uname -s)" && echo "##wfe[output greeting=hello]"',
    timeoutMs: 30_000,
  });
  console.log(result.exitCode, result.cause, result.outputs.greeting);
} finally {
  await executor.close();
}
