// The kind of an error says what went wrong. Its message says what to fix.
import { createExecutor, isExecutorError } from "@wfe-containerd/executor";

await using executor = createExecutor();

for (const step of [
  { name: "no-image", image: "no/such-image:1", run: "true", pull: "never" as const },
  { name: "no-program", image: "busybox:latest", command: ["no-such-program"] },
  {
    name: "bad-target",
    image: "busybox:latest",
    run: "true",
    volumes: [{ source: "/srv", target: "../etc" }],
  },
]) {
  try {
    await executor.run(step);
  } catch (error) {
    if (!isExecutorError(error)) throw error;
    console.log(`${error.kind}: ${error.message}`);
  }
}
