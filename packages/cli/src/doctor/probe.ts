import { randomUUID } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "@wfe-containerd/client";
import { createExecutor, UNRESTRICTED_POLICY } from "@wfe-containerd/executor";
import { type Finding, fail, ok, warn } from "./finding.js";

const CHECK = "a step";
/** Small images that have a shell, as they are often there. */
const WITH_SHELL = /(?:^|\/)(?:busybox|alpine|debian|ubuntu|bash)(?::[^/]*)?$/;
const TIMEOUT = "60s";

/** Finds an image on the daemon that surely has a shell. */
async function findProbeImage(client: Client): Promise<string | undefined> {
  const images = await client.images.list();
  for (const { name } of images.filter((image) => WITH_SHELL.test(image.name))) {
    const isRunnable = await client.images.resolve(name).then(
      () => true,
      () => false,
    );
    if (isRunnable) return name;
  }
  return undefined;
}

/**
 * Runs a step that sees a file of this machine and writes another. So it shows whether steps run, whether
 * their output arrives, and whether the directory for it is the same on both machines.
 */
export async function checkStep(client: Client, given: string | undefined): Promise<readonly Finding[]> {
  const image = given ?? (await findProbeImage(client));
  if (image === undefined)
    return [
      warn(
        CHECK,
        "not tried: no image with a shell is there",
        "name one: wfe-containerd doctor --image alpine:3.20",
      ),
    ];
  const shared = process.env["WFE_IO_DIR"];
  if (shared === undefined && !client.isLocal)
    return [
      fail(
        CHECK,
        "not tried: the daemon may be on another machine",
        "set WFE_IO_DIR to a directory that both machines see at the same path, and see the guide on remote daemons",
      ),
    ];
  try {
    return [await runProbe(client, image, shared ?? tmpdir())];
  } catch (reason) {
    const message = reason instanceof Error ? reason.message : String(reason);
    return [fail(CHECK, message, "mend what the message names, and call doctor again")];
  }
}

async function runProbe(client: Client, image: string, parent: string): Promise<Finding> {
  await mkdir(parent, { recursive: true });
  const directory = await mkdtemp(join(parent, "wfe-doctor-"));
  const executor = createExecutor({ client, policy: UNRESTRICTED_POLICY });
  const word = randomUUID();
  try {
    // The step runs as the user 65534, which reads and writes here.
    await chmod(directory, 0o777);
    await writeFile(join(directory, "from-here"), word, { mode: 0o644 });
    const startedAt = performance.now();
    const { exitCode, stdout, stderr } = await executor.run({
      name: "doctor",
      image,
      run: "cat /doctor/from-here && cat /doctor/from-here > /doctor/from-step",
      volumes: [`${directory}:/doctor`],
      timeout: TIMEOUT,
    });
    const ms = Math.round(performance.now() - startedAt);
    const written = await readFile(join(directory, "from-step"), "utf8").catch(() => "");
    if (exitCode !== 0 || written !== word)
      return fail(
        "shared directory",
        `${directory}: the step and this machine do not see the same files (exit code ${exitCode ?? "unknown"}${stderr === "" ? "" : `: ${stderr.trim()}`})`,
        "set WFE_IO_DIR to a directory that both machines see at the same path",
      );
    if (!stdout.startsWith(word))
      return fail(
        "output",
        "what the step printed did not arrive",
        "set WFE_IO_DIR to a directory that both machines see at the same path",
      );
    return ok(CHECK, `${image} ran in ${ms} ms; it and this machine see the same files in ${parent}`);
  } finally {
    await executor.close();
    await rm(directory, { recursive: true, force: true });
  }
}
