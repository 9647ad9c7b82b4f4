// A step that takes too long gives a result that names the cause. So does a step that is aborted.
import { createExecutor } from "@wfe-containerd/executor";

await using executor = createExecutor();

const late = await executor.run({
  name: "too-long",
  image: "busybox:latest",
  run: "trap 'echo cleaning up; exit 5' TERM; while :; do sleep 0.1; done",
  timeoutMs: 10_000,
  stopGraceMs: 10_000,
});
console.log(late.cause, late.exitCode, late.stdout.trim());

const controller = new AbortController();
const aborted = executor.run(
  { name: "aborted", image: "busybox:latest", run: "echo started; exec sleep 600", stopGraceMs: 100 },
  {
    signal: controller.signal,
    onEvent: (event) => {
      if (event.type === "output") controller.abort();
    },
  },
);
console.log((await aborted).cause);
