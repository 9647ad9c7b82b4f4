import { createClient } from "@wfe-containerd/client";
import { createExecutor, type Session } from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { expect, test } from "vitest";

const at = useDaemon();

const open = (client = at.client) => createExecutor({ client, ioDir: at.ioDir, reapIntervalMs: false });

const times = <T>(count: number, act: (round: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, round) => act(round)));

test("scripts of two processes that have to be files are not mixed up", async () => {
  await using one = open();
  await using other = open();
  await using owner = await one.open({ name: "shared", image: "busybox" });
  await using guest = await other.connect(owner.id);
  const run = (session: Session, name: string) =>
    times(4, async (round) => (await session.run({ run: `#!/bin/sh\necho ${name} ${round}` })).stdout);
  const [owners, guests] = await Promise.all([run(owner, "owner"), run(guest, "guest")]);
  expect([...owners, ...guests]).toEqual([
    ...owners.map((_, round) => `owner ${round}\n`),
    ...guests.map((_, round) => `guest ${round}\n`),
  ]);
});

test("a step of a process whose session is ended by another one has an end, and no error is left over", async () => {
  await using one = open();
  await using other = open();
  const owner = await one.open({ name: "shared", image: "busybox" });
  await using guest = await other.connect(owner.id);
  await using step = guest.start({ command: ["sleep", "1000"] });
  await step.started;
  await owner.close();
  expect(await step.result).toMatchObject({ cause: "container-ended" });
  await step.closed;
});

test("a process that is added just when another one freezes the container is started afterwards", async () => {
  let session: Session | undefined;
  const { tasks } = at.client;
  const seen: string[] = [];
  await using client = createClient({
    address: at.daemon.address,
    namespace: at.client.namespace,
    interceptors: [
      (next) => async (request) => {
        const method = `${request.service.typeName.split(".").at(-1)}.${request.method.name}`;
        if (session !== undefined && /^Tasks\.(?:Exec|Start|DeleteProcess)$/.test(method)) {
          if (method === "Tasks.Start" && !seen.includes(method)) await tasks.pause(session.id);
          seen.push(method);
        }
        const answer = await next(request);
        if (session !== undefined && method === "Tasks.DeleteProcess" && seen.length === 3)
          await tasks.resume(session.id);
        return answer;
      },
    ],
  });
  await using executor = open(client);
  await using opened = await executor.open({ name: "shared", image: "busybox" });
  session = opened;
  expect(await opened.run({ command: ["id", "-u"] })).toMatchObject({ cause: "exit", stdout: "65534\n" });
  const [exec, start, remove] = ["Tasks.Exec", "Tasks.Start", "Tasks.DeleteProcess"];
  expect(seen.slice(0, 5)).toEqual([exec, start, remove, exec, start]);
});
