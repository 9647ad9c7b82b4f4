// A user's program in a separate project. It imports every package by its published name.

import { createReadStream } from "node:fs";
import { create } from "@bufbuild/protobuf";
import { type Client, ContainerdError, createClient } from "@wfe-containerd/client";
import { type Daemon, startDaemon } from "@wfe-containerd/client/daemon";
import { createExecutor, type StepResult, toWorkflowData } from "@wfe-containerd/executor";
import { type GetRequest, GetRequestSchema } from "@wfe-containerd/proto/services/tasks";

const archive = process.argv[2] as string;
const request: GetRequest = create(GetRequestSchema, { containerId: "nothing" });

const daemon: Daemon = await startDaemon();
try {
  const client: Client = createClient({ address: daemon.address, namespace: "packed" });
  await client.images.import(createReadStream(archive));
  const kind = await client.services.tasks.get(request).then(
    () => "found",
    (error: unknown) => ContainerdError.from(error).kind,
  );
  const executor = createExecutor({ client });
  const result: StepResult = await executor.run({
    name: "packed",
    image: "busybox",
    run: 'echo "from a tarball"; echo "##wfe[output answer=42]"; exit 5',
  });
  await executor.close();
  await client.close();
  console.log(JSON.stringify({ kind, data: toWorkflowData(result, { logs: true }), cause: result.cause }));
} finally {
  await daemon.stop();
}
