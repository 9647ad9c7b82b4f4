// Runs two steps in order. The outputs of the first become environment variables of the second; their names
// begin with the first step's name.
import { createExecutor, toWorkflowData } from "@wfe-containerd/executor";

await using executor = createExecutor();

const version = await executor.run({
  name: "version",
  image: "busybox:latest",
  run: 'echo "##wfe[output release=1.2.3]"',
});

const notes = await executor.run(
  { name: "notes", image: "busybox:latest", run: 'echo "Release $VERSION_OUTPUTS_RELEASE is out"' },
  { data: toWorkflowData(version) },
);

console.log(notes.stdout.trim());
