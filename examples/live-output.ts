// Follows a step while it runs: each piece of output as it is printed, and each phase.
import { createExecutor } from "@wfe-containerd/executor";

await using executor = createExecutor();

const handle = executor.start({
  name: "count",
  image: "busybox:latest",
  run: "for i in 1 2 3; do echo line $i; done; echo done >&2; exit 3",
});

for await (const event of handle) {
  if (event.type === "output") process[event.stream].write(event.data);
  if (event.type === "phase") console.error(`-- ${event.phase}`);
}

const { exitCode, cause, durationMs } = await handle.result;
console.error(`-- ended with ${exitCode} (${cause}) after ${Math.round(durationMs)} ms`);
