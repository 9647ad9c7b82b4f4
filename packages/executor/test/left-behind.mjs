// Runs a step, and writes content that never ends, in a process that is to be killed. Prints the step's id
// when both are under way. With "timeout" as its last argument, the step has a time-out of a second.
import { createClient } from "@wfe-containerd/client";
import { currentOwner, OWNER_LABEL } from "@wfe-containerd/client/internal";
import { createExecutor } from "@wfe-containerd/executor";

const [, , address, namespace, moment] = process.argv;
const client = createClient({ address, namespace });
const executor = createExecutor({ client });
// Without a shell, which would start another process later.
const step = { name: "left", image: "busybox", command: ["sleep", "600"], stopGrace: "0s" };
const handle = executor.start(moment === "timeout" ? { ...step, timeout: "1s" } : step);
await handle.started;

// As a pull does.
const lease = await client.leases.create({
  id: `pull-${handle.id}`,
  labels: { [OWNER_LABEL]: await currentOwner() },
});
const writer = await client.with({ leaseId: lease.id }).content.openWriter({ ref: `blob-${handle.id}` });
await writer.write(Buffer.alloc(65_536));
console.log(handle.id);
