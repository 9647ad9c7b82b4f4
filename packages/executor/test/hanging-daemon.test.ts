import { createClient, observe } from "@wfe-containerd/client";
import { createExecutor, type StepEvent } from "@wfe-containerd/executor";
import { pauseProcess, useDaemon } from "@wfe-containerd/test-infra/daemon";
import { expect, test } from "vitest";
import { PHASES, startGated } from "./gated-step.js";

const at = useDaemon();
const STEP = { name: "hangs", image: "busybox", run: "echo out; exit 7" };

/** Asks often whether the daemon answers. */
const KEEP_ALIVE_MS = 500;
/** The deadline of a call while the daemon is stopped. */
const LATE_MS = 1_000;

/**
 * A client whose calls have a short deadline while the daemon is stopped. A daemon that works may take long
 * on a busy machine, so the usual deadline must not be short.
 */
function hangingClient() {
  const { address, namespace } = at.client;
  const plain = createClient({ address, namespace });
  /** Starts the short deadline of each call under way. */
  const underWay = new Set<() => void>();
  let isStopped = false;
  const client = createClient({
    address,
    namespace,
    keepAliveMs: KEEP_ALIVE_MS,
    interceptors: [
      (next) => async (request) => {
        const { name } = request.method;
        if (request.stream || name === "Wait" || name === "Version") return next(request);
        const late = new AbortController();
        if (isStopped) request.header.set("grpc-timeout", `${LATE_MS}m`);
        const answer = next({ ...request, signal: AbortSignal.any([request.signal, late.signal]) });
        let start = (): void => undefined;
        const deadline = new Promise<never>((_, reject) => {
          start = () =>
            // The call fails as every one does whose deadline passes.
            void plain.version({ timeoutMs: LATE_MS }).catch(({ cause }: Error) => {
              reject(cause);
              late.abort();
            });
        });
        if (isStopped) start();
        else underWay.add(start);
        return Promise.race([answer, deadline]).finally(() => underWay.delete(start));
      },
    ],
  });
  return {
    client,
    get isStopped() {
      return isStopped;
    },
    stop() {
      isStopped = true;
      at.daemon.kill("SIGSTOP");
      for (const start of underWay) start();
    },
    goOn() {
      isStopped = false;
      at.daemon.kill("SIGCONT");
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([client.close(), plain.close()]);
    },
  };
}

test.each(PHASES)(
  "a daemon that is stopped as the phase %s begins, for longer than calls wait, costs nothing of the step (F2)",
  async (phase) => {
    const before = await at.inventory();
    await using hanging = hangingClient();
    await using executor = createExecutor({ client: hanging.client, ioDir: at.ioDir, reapIntervalMs: false });
    // So that the daemon has answered: one that never has is not waited for.
    await executor.run(STEP);
    // Only the wait for its end is under way while a step runs, and that has no deadline.
    const late: string[] = phase === "running" ? ["Wait"] : [];
    let isAway = false;
    const goOnIfLate = (): void => {
      if (hanging.isStopped && isAway && late.length > 0) hanging.goOn();
    };
    const stopObserving = observe({
      rpc: {
        end({ method, errorKind }) {
          if (!hanging.isStopped || errorKind !== "deadline-exceeded" || method === "Version") return;
          late.push(method);
          goOnIfLate();
        },
      },
    });
    const types: string[] = [];
    const onEvent = (event: StepEvent): void => {
      types.push(event.type);
      if (event.type === "phase" && event.phase === phase) hanging.stop();
      // On a busy machine the daemon may also have been away for a moment before.
      if (event.type === "daemon-away") isAway = true;
      if (event.type === "daemon-back") isAway = false;
      goOnIfLate();
    };
    try {
      expect(await executor.run(STEP, { onEvent })).toMatchObject({
        exitCode: 7,
        cause: "exit",
        stdout: "out\n",
        log: { complete: true, gaps: [] },
        unreleased: [],
      });
    } finally {
      hanging.goOn();
      stopObserving();
    }
    expect(types).toEqual(expect.arrayContaining(["daemon-away", "daemon-back"]));
    await executor.close();
    await at.expectNothingLeft(before);
  },
);

test("a daemon that hangs while a step runs is noticed and told, and the step has its result (fault case 2, F17)", async () => {
  const before = await at.inventory();
  const { address, namespace } = at.client;
  await using client = createClient({ address, namespace, keepAliveMs: KEEP_ALIVE_MS });
  await using step = await startGated(at, { client });
  await pauseProcess(at.daemon.pid);
  try {
    await step.seen("daemon-away");
    await step.open();
  } finally {
    at.daemon.kill("SIGCONT");
  }
  expect(await step.handle.result).toMatchObject({
    exitCode: 7,
    cause: "exit",
    stdout: "before\nafter\n",
    log: { complete: true },
  });
  await step.seen("daemon-back");
  expect(step.events.find(({ type }) => type === "daemon-away")).toEqual({
    type: "daemon-away",
    reason: "the daemon does not answer: does it hang?",
  });
  await step.handle[Symbol.asyncDispose]();
  await at.expectNothingLeft(before);
});

test("a step whose daemon hangs for too long does not say that it failed, and is ended later (fault case 2)", async () => {
  const before = await at.inventory();
  const { address, namespace } = at.client;
  await using client = createClient({ address, namespace, keepAliveMs: KEEP_ALIVE_MS });
  await using step = await startGated(at, { client, daemonTimeoutMs: 1_000 });
  const { id, result, closed } = step.handle;
  await pauseProcess(at.daemon.pid);
  try {
    await expect(result).rejects.toMatchObject({
      kind: "daemon-unavailable",
      message: expect.stringMatching(
        new RegExp(`container ${id}.* may still run: .*the daemon does not answer: does it hang\\?$`),
      ),
    });
    expect((await closed).unreleased).toMatchObject([{ kind: "task", id }, {}, {}, {}, {}]);
  } finally {
    at.daemon.kill("SIGCONT");
  }
  await step.handle[Symbol.asyncDispose]();
  await at.expectNothingLeft(before);
});
