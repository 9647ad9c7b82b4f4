import { createClient } from "@wfe-containerd/client";
import { createExecutor } from "@wfe-containerd/executor";
import { untilPaused, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { createRuncStandIn } from "@wfe-containerd/test-infra/daemon/runc-stand-in";
import { afterAll, expect, test } from "vitest";

const runc = await createRuncStandIn();
const at = useDaemon({ binDir: runc.binDir });
afterAll(() => runc[Symbol.asyncDispose]());

/** Whether the daemon forgets the shim depends on what it does first when it goes on. */
const ROUNDS = 8;

test("a deletion that is given up while the daemon hangs leaves no shim (F2)", async () => {
  const before = await at.inventory();
  let cuts = 0;
  await using client = createClient({
    address: at.daemon.address,
    namespace: at.client.namespace,
    interceptors: [
      (next) => async (request) => {
        const isDelete = request.method.name === "Delete" && request.service.typeName.endsWith(".Tasks");
        if (!isDelete || cuts === ROUNDS) return next(request);
        await runc.before("delete", `real "$@"; kill -STOP ${at.daemon.pid}`);
        const late = new AbortController();
        const answer = next({ ...request, signal: AbortSignal.any([request.signal, late.signal]) });
        answer.catch(() => undefined);
        await untilPaused(at.daemon.pid);
        cuts++;
        late.abort();
        await answer.catch(() => undefined);
        at.daemon.kill("SIGCONT");
        return answer;
      },
    ],
  });
  await using executor = createExecutor({ client, ioDir: at.ioDir, reapIntervalMs: false });
  const step = { name: "deleted", image: "busybox", run: "echo out; exit 7" };
  while (cuts < ROUNDS)
    expect(await executor.run(step)).toMatchObject({ exitCode: 7, stdout: "out\n", unreleased: [] });
  await executor.close();
  await at.expectNothingLeft(before);
});
