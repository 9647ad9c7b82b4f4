// Starts steps in a process that can be killed. Its argument is JSON; it prints a line of JSON for everything
// that its steps tell. With `killAt` it kills itself before or after a request to the daemon, or waits in
// place of it.
import { writeSync } from "node:fs";
import { createClient } from "@wfe-containerd/client";
import { createExecutor } from "@wfe-containerd/executor";

const { address, namespace, options, starts, killAt } = JSON.parse(process.argv[2]);
const say = (line) => writeSync(1, `${JSON.stringify(line)}\n`);
let passed = 0;

async function pass(when, { service, method, message }) {
  if (when !== killAt?.when || `${service.typeName.split(".").at(-1)}.${method.name}` !== killAt.call) return;
  if (++passed !== (killAt.count ?? 1)) return;
  if (when !== "instead") process.kill(process.pid, "SIGKILL");
  say({ type: "held", id: message.container.id });
  await new Promise(() => {});
}

const client = createClient({
  address,
  namespace,
  interceptors: [
    (next) => async (request) => {
      await pass("before", request);
      await pass("instead", request);
      const answer = await next(request);
      await pass("after", request);
      return answer;
    },
  ],
});
const executor = createExecutor({ client, ...options });

async function follow({ step, startOptions, isSession = false }) {
  if (isSession) {
    const { id, ended } = await executor.open(step, startOptions);
    say({ type: "started", id });
    await ended;
    return;
  }
  const handle = executor.start(step, startOptions);
  const { id } = handle;
  handle.started.then(
    () => say({ type: "started", id }),
    () => undefined,
  );
  await handle.result.then(
    (result) => say({ type: "result", id, result }),
    ({ kind, message }) => say({ type: "error", id, kind, message }),
  );
  await handle.closed;
}

await Promise.all(starts.map(follow));
await executor.close();
await client.close();
