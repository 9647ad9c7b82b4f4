import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { createClient } from "@wfe-containerd/client";
import { createExecutor, type Session } from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { buildImage, busyboxLayer, ociArchive } from "@wfe-containerd/test-infra/images";
import { pack } from "tar-stream";
import { expect, test } from "vitest";

const at = useDaemon();

const open = (client = at.client) => createExecutor({ client, ioDir: at.ioDir, reapIntervalMs: false });

function archive(name: string, contents: string): Promise<Buffer> {
  const tar = pack();
  tar.entry({ name }, contents);
  tar.finalize();
  return buffer(tar);
}

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

test("what several processes do with a session at the same time is done one after the other", async () => {
  await using one = open();
  await using other = open();
  await using owner = await one.open({ name: "shared", image: "busybox" });
  await using guest = await other.connect(owner.id);
  const use = (session: Session, name: string) =>
    times(4, async (round) => {
      await session.files.write(await archive(`${name}-${round}`, name), { path: "/tmp" });
      const { cause, stdout } = await session.run({ command: ["cat", `/tmp/${name}-${round}`] });
      return { cause, stdout };
    });
  const [kept, ...used] = await Promise.all([
    guest.snapshot("meanwhile"),
    use(owner, "owner"),
    use(guest, "guest"),
  ]);
  expect(kept).toMatchObject({ name: "meanwhile" });
  for (const [at_, stdout] of ["owner", "guest"].entries())
    expect(used[at_]).toEqual(Array.from({ length: 4 }, () => ({ cause: "exit", stdout })));
  const { labels } = await at.client.containers.get(owner.id);
  expect(Object.keys(labels).filter((name) => name.includes("turn"))).toEqual([]);
  await other.removeSnapshot("meanwhile");
});

test("a step of a process whose session is ended by another one has an end, and no error is left over", async () => {
  await using one = open();
  await using other = open();
  const owner = await one.open({ name: "shared", image: "busybox" });
  await using guest = await other.connect(owner.id);
  await using step = guest.start({ command: ["sleep", "1000"] });
  await step.started;
  await owner.close();
  // The session's end asks it to end.
  expect(await step.result).toMatchObject({ cause: "signal", exitCode: 143 });
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

test("a connected process takes a snapshot, also without the image, and of what it started from", async () => {
  const { client } = at;
  const before = await at.inventory();
  const image = "registry.test/kept:1";
  const layers = [
    [...(await busyboxLayer()), { path: "own/" }, { path: "own/file", contents: "image", uid: 7 }],
  ];
  const archived = await ociArchive(await buildImage({ layers, config: { Env: ["FROM=image"] } }));
  await client.images.import(Readable.from([archived]), { name: image });
  {
    await using opener = open();
    const secrets = [{ name: "key", target: "/own/secrets/key" }];
    await using session = await opener.open(
      { name: "left", image, user: "0", secrets },
      { detached: true, secrets: { key: "canary-of-a-session" } },
    );
    await session.run({ run: "cat /own/secrets/key > /dev/null; echo changed > /own/file" });
  }
  await client.images.remove(image, { sync: true });
  await using executor = open();
  await using session = await executor.connect("left", { secrets: { key: "canary-of-a-session" } });
  expect(await session.snapshot("first")).toMatchObject({ name: "first", image });
  await session.close();
  {
    await using opener = open();
    await using fork = await opener.open({ name: "fork", from: "first", user: "0" }, { detached: true });
    await fork.run({ run: "echo fork > /own/fork" });
    await fork.snapshot("second");
    await fork.close();
  }
  await using last = await executor.open({ name: "last", from: "second" });
  const { stdout } = await last.run({ run: "echo $FROM; cat /own/file /own/fork; ls -A /own" });
  expect(stdout).toBe("image\nchanged\nfork\nfile\nfork\n");
  await last.close();
  for (const name of ["first", "second"]) await executor.removeSnapshot(name);
  await executor.close();
  await at.expectNothingLeft(before);
});

test("a session that another process ends while its files are read gives no snapshot", async () => {
  const before = await at.inventory();
  let ending: Promise<unknown> | undefined;
  let end = (): Promise<unknown> => Promise.resolve();
  await using client = createClient({
    address: at.daemon.address,
    namespace: at.client.namespace,
    interceptors: [
      (next) => async (request) => {
        const answer = await next(request);
        if (request.method.name === "Diff") ending ??= end();
        if (request.method.name === "Diff") await ending;
        return answer;
      },
    ],
  });
  await using owner = open();
  await using guest = open(client);
  const session = await owner.open({ name: "shared", image: "busybox" });
  const connected = await guest.connect(session.id);
  end = () => session.close();
  await expect(connected.snapshot("broken")).rejects.toMatchObject({
    kind: "aborted",
    message: "the session has ended before its snapshot was complete",
  });
  expect(await guest.snapshots()).toEqual([]);
  await guest.close();
  await owner.close();
  await at.expectNothingLeft(before);
});
