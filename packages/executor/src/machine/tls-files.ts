import { constants, type FileHandle, open } from "node:fs/promises";
import type { TlsOptions } from "@wfe-containerd/client";
import type { StepConfig } from "../core/step/step.js";
import { ExecutorError } from "../error.js";

/** Certificate chains have a few kilobytes. */
const MAX_BYTES = 1024 * 1024;
const BEGIN = "-----BEGIN ";

/**
 * Reads the PEM files that a step names, or takes PEM contents as they are. Every failure has the same
 * message, also for a missing file. So a step cannot find out which files the executor has.
 *
 * @throws ExecutorError `invalid-step`.
 */
export async function readTls(tls: NonNullable<StepConfig["tls"]>): Promise<TlsOptions> {
  const read = async (field: "ca" | "cert" | "key"): Promise<TlsOptions> => {
    const value = tls[field];
    if (value === undefined) return {};
    if (value.includes(BEGIN)) return { [field]: value };
    const contents = await readPem(value);
    if (contents !== undefined) return { [field]: contents };
    throw new ExecutorError(
      `tls.${field}: ${JSON.stringify(value)} cannot be read as a PEM file; allowed: a PEM file of up to 1 MiB, or its contents`,
      { kind: "invalid-step" },
    );
  };
  return Object.assign({}, ...(await Promise.all([read("ca"), read("cert"), read("key")])));
}

async function readPem(path: string): Promise<string | undefined> {
  let file: FileHandle | undefined;
  try {
    // Non-blocking: opening a FIFO would otherwise wait until something writes to it.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const status = await file.stat();
    if (!status.isFile() || status.size > MAX_BYTES) return undefined;
    const buffer = Buffer.alloc(status.size);
    const { bytesRead } = await file.read(buffer, 0, status.size, 0);
    const text = buffer.toString("utf8", 0, bytesRead);
    return text.includes(BEGIN) ? text : undefined;
  } catch {
    return undefined;
  } finally {
    await file?.close();
  }
}
