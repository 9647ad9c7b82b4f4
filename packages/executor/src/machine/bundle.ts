import { execFile } from "node:child_process";
import { rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { unlessMissing } from "./unless-missing.js";

const run = promisify(execFile);

/**
 * Removes the bundle of a task that its daemon does not know: the directory with its spec, where its root
 * file system is mounted (containerd, `core/runtime/v2/bundle.go`). A daemon that is killed while it removes
 * one leaves it, and later makes no task with that id.
 */
export async function removeBundle(path: string): Promise<void> {
  const rootfs = join(path, "rootfs");
  // Fails if nothing is mounted there. What matters is the next call: it removes an empty directory only, so
  // nothing of a file system that is still mounted there.
  await run("umount", [rootfs]).catch(() => undefined);
  await rmdir(rootfs).catch(unlessMissing);
  await rm(path, { recursive: true, force: true });
}
