import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { currentOwner, isOwnerGone } from "@wfe-containerd/client/internal";
import { afterEach, expect, test } from "vitest";

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
});

/**
 * A process that prints its owner text and runs until it is killed. It uses the built package, as users do.
 */
async function startOwner(...before: string[]): Promise<{ child: ChildProcess; owner: string }> {
  const source = `
    import { currentOwner } from "@wfe-containerd/client/internal";
    console.log(await currentOwner());
    setInterval(() => undefined, 1_000);
  `;
  const node = [process.execPath, "--input-type=module", "--eval", source];
  const [program = "", ...args] = [...before, ...node];
  const child = spawn(program, args, {
    cwd: fileURLToPath(new URL(".", import.meta.url)),
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  return { child, owner: said.toString().trim() };
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await once(child, "close");
}

test("a process is there as long as it lives, and gone afterwards", async () => {
  expect(await isOwnerGone(await currentOwner())).toBe(false);
  const { child, owner } = await startOwner();
  expect(await isOwnerGone(owner)).toBe(false);
  await kill(child);
  expect(await isOwnerGone(owner)).toBe(true);
});

test("another process with the same id is not the one that is meant", async () => {
  const own = (await currentOwner()).split("/");
  expect(await isOwnerGone([...own.slice(0, -1), Number(own.at(-1)) - 1].join("/"))).toBe(true);
});

test("of another PID namespace, machine or boot it is known only that the boot is over", async () => {
  const { child, owner } = await startOwner("unshare", "--pid", "--fork", "--kill-child");
  expect(owner.split("/").at(-2)).toBe("1");
  expect(await isOwnerGone(owner)).toBeUndefined();
  await kill(child);
  expect(await isOwnerGone(owner)).toBeUndefined();
  const [host, boot, ...rest] = (await currentOwner()).split("/");
  expect(await isOwnerGone([`not-${host}`, boot, ...rest].join("/"))).toBeUndefined();
  expect(await isOwnerGone([host, "00000000", ...rest].join("/"))).toBe(true);
});
