// A CommonJS program. TypeScript turns its imports into require(), which loads ES modules.

import { createClient, isContainerdError } from "@wfe-containerd/client";
import { startDaemon } from "@wfe-containerd/client/daemon";
import { createExecutor, parseStep, type StepConfig } from "@wfe-containerd/executor";

const client = createClient({ address: "/no/such.sock" });
const step: StepConfig = parseStep({ name: "required", image: "busybox" });
client.version().catch((error: unknown) => {
  const isUnavailable = isContainerdError(error, "unavailable");
  console.log(JSON.stringify([step.name, isUnavailable, typeof startDaemon, typeof createExecutor]));
});
