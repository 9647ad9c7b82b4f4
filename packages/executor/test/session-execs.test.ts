import { getEventListeners } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { Session as Inspector } from "node:inspector/promises";
import { createExecutor, type Session } from "@wfe-containerd/executor";
import { useDaemon } from "@wfe-containerd/test-infra/daemon";
import { expect, test } from "vitest";

const at = useDaemon();

const EXECS = Number(process.env["WFE_SESSION_EXECS"] ?? 100);
const AT_A_TIME = 8;
/** What is made at the first calls is there before. Every process would leave something more. */
const FIRST_EXECS = 3 * AT_A_TIME;

/** What processes in a session could leave: here, in the shim, and in the daemon. */
interface Tally {
  readonly descriptors: number;
  readonly descriptorsOfShim: number;
  readonly descriptorsOfDaemon: number;
  /** The entries of all maps and sets of this process. */
  readonly entries: number;
  readonly listeners: number;
  readonly handles: number;
  /** The processes that containerd knows in the container. */
  readonly processes: number;
  readonly files: readonly string[];
}

/** A container's first process is the shim's child. */
async function shimOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]);
}

async function descriptorsOf(pid: number | "self"): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length;
}

/** Counts what is in all maps and sets that cannot be collected as garbage. */
async function countEntries(): Promise<number> {
  const inspector = new Inspector();
  inspector.connect();
  try {
    let entries = 0;
    for (const kind of ["Map", "Set"]) {
      const { result } = await inspector.post("Runtime.evaluate", { expression: `${kind}.prototype` });
      const { objects } = await inspector.post("Runtime.queryObjects", {
        prototypeObjectId: result.objectId as string,
      });
      const counted = await inspector.post("Runtime.callFunctionOn", {
        objectId: objects.objectId,
        // The prototypes of subclasses are among them, and have no size.
        functionDeclaration: `function () {
          const { get } = Object.getOwnPropertyDescriptor(${kind}.prototype, "size");
          const sizeOf = (each) => { try { return get.call(each); } catch { return 0; } };
          return this.reduce((sum, each) => sum + sizeOf(each), 0);
        }`,
        returnByValue: true,
      });
      await inspector.post("Runtime.releaseObject", { objectId: objects.objectId as string });
      entries += counted.result.value as number;
    }
    return entries;
  } finally {
    inspector.disconnect();
  }
}

async function runMany(session: Session, count: number, signal: AbortSignal): Promise<void> {
  let next = 0;
  async function work(): Promise<void> {
    while (next < count) {
      const number = next++;
      const result = await session.run({ run: `echo ${number}; exit ${number % 3}` }, { signal });
      expect(result).toMatchObject({ exitCode: number % 3, stdout: `${number}\n`, unreleased: [] });
    }
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
}

test(`${EXECS} processes in one session leave nothing, here and in the daemon`, async () => {
  const before = await at.inventory();
  const { signal } = new AbortController();
  {
    await using executor = createExecutor({ client: at.client, ioDir: at.ioDir });
    await using session = await executor.open({ name: "job", image: "busybox" });
    const { pid } = await at.client.tasks.get(session.id);
    const shim = await shimOf(pid);
    const count = async (): Promise<Tally> => ({
      descriptors: await descriptorsOf("self"),
      descriptorsOfShim: await descriptorsOf(shim),
      descriptorsOfDaemon: await descriptorsOf(at.daemon.pid),
      entries: await countEntries(),
      listeners: getEventListeners(signal, "abort").length,
      handles: process.getActiveResourcesInfo().length,
      processes: (await at.client.tasks.processes(session.id)).length,
      files: (await at.inventory())["files in the IO directory"],
    });
    await runMany(session, FIRST_EXECS, signal);
    // To count for the first time leaves something, too.
    await count();
    const first = await count();
    await runMany(session, EXECS, signal);
    const last = await count();
    const { listeners, processes, files } = first;
    expect(last).toMatchObject({ listeners, processes, files });
    // A few come and go, of the test runner's and of calls under way. A leak would be one for each process.
    for (const counted of ["descriptors", "descriptorsOfShim", "descriptorsOfDaemon", "handles"] as const)
      expect(last[counted] - first[counted], counted).toBeLessThan(AT_A_TIME);
    expect(last.entries - first.entries, "entries of maps and sets").toBeLessThan(EXECS);
  }
  await at.expectNothingLeft(before);
});
