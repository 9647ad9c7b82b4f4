import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import { drained, type OptionNames } from "@wfe-containerd/client/internal";
import { extract, type Pack, pack } from "tar-stream";
import { createEntryCheck } from "./core/plan/copied-archive.js";
import { NOT_A_FILE, WAITER_PATH } from "./core/plan/waiter.js";
import { isReservedTarget } from "./core/policy/reserved-paths.js";
import { refuse } from "./core/refuse.js";
import { isPlainPath, normalPath } from "./core/units/path.js";
import { ExecutorError, isExecutorError } from "./error.js";
import type { ExecHost } from "./exec-host.js";
import type { ExecInput } from "./exec-input.js";
import type { StepHandle } from "./handle.js";
import { checkOptions } from "./options.js";
import { unpackStream } from "./resources/unpack-archive.js";

/** Options of `files.write`. */
export interface WriteFilesOptions {
  /**
   * The directory that the archive is unpacked in, an absolute path. Missing directories are made, and belong
   * to root.
   *
   * @default "/"
   */
  readonly path?: string | undefined;
  /**
   * The most that all files may have together, in bytes.
   *
   * @default 1_073_741_824
   */
  readonly maxBytes?: number | undefined;
}

/** Options of `files.read`. */
export interface ReadFileOptions {
  /** Who reads it: as the user of a step. Default: the session's user. */
  readonly user?: string | undefined;
  /**
   * The most that the file may have, in bytes.
   *
   * @default 1_073_741_824
   */
  readonly maxBytes?: number | undefined;
}

/** The files of a session's container. No shell or other program of the image is needed. */
export interface SessionFiles {
  /**
   * Unpacks a tar archive. Its files belong to the session's user. For a moment all processes of the session
   * stand still: otherwise one could put a link in the way.
   *
   * Works through containerd's API alone, also on another machine. Refused in a session with volumes or
   * caches: a step of another container could put a link into those.
   *
   * @throws ExecutorError `refused` for an archive that is too large, or that has other things than files,
   * directories and symbolic links inside of itself. Nothing is written then.
   */
  write(archive: Uint8Array | AsyncIterable<Uint8Array>, options?: WriteFilesOptions): Promise<void>;
  /**
   * Reads a regular file, with the rights of a process in the session.
   *
   * @throws ExecutorError `refused` for a path that is no regular file, or that the user may not read.
   */
  read(path: string, options?: ReadFileOptions): AsyncIterable<Uint8Array>;
}

const WRITE_OPTIONS: OptionNames<WriteFilesOptions> = { path: true, maxBytes: true };
const READ_OPTIONS: OptionNames<ReadFileOptions> = { user: true, maxBytes: true };
const MAX_BYTES = 1024 ** 3;
const MAX_ENTRIES = 100_000;

/** The system's numbers of errors. Source: errno(3), the same on every architecture that we have. */
const PROBLEMS: Readonly<Record<number, string>> = {
  2: "does not exist",
  5: "cannot be read",
  6: "is not a regular file",
  13: "may not be read by the user",
  20: "lies below a file",
  36: "is too long a path",
  40: "leads through symbolic links in a circle",
  [NOT_A_FILE]: "is not a regular file",
};

export function createSessionFiles(host: ExecHost, start: (process: ExecInput) => StepHandle): SessionFiles {
  return {
    async write(archive, options = {}) {
      checkOptions("files.write", options, WRITE_OPTIONS);
      const { path = "/", maxBytes = MAX_BYTES } = options;
      checkPath(path);
      checkMaximum(maxBytes);
      const { plan, task, resolved } = host.enter();
      const { step, hostUser, machine } = resolved;
      if (plan.container.runtime.sandboxed)
        refuse(
          "files.write",
          "the container has a kernel of its own, and no files can be put into it",
          "the standard input of a step, for example of tar; or a runtime such as runc",
        );
      if (step.volumes.length + step.namedVolumes.length + step.caches.length > 0)
        refuse(
          "files.write",
          "the session has volumes or caches, in which another container could put a link in the way",
          "a session without them; or files in the volume itself",
        );
      const { client } = machine;
      const leased = client.with({ leaseId: plan.id });
      const directory = normalPath(path)
        .split("/")
        .filter((part) => part !== "");
      const checked = checkArchive(archive, { directory, maxBytes, owner: hostUser });
      await unpackStream(leased, `/proc/${task.pid}/root`, checked, (unpack) => {
        host.enter();
        return host.freezer.frozen(client, plan.id, unpack);
      });
    },
    async *read(path, options = {}) {
      checkOptions("files.read", options, READ_OPTIONS);
      const { user, maxBytes = MAX_BYTES } = options;
      checkMaximum(maxBytes);
      if (typeof path !== "string" || !path.startsWith("/") || path.includes("\0"))
        refuse(
          "path",
          `${JSON.stringify(path)} is not an absolute path`,
          "an absolute path; example: /work/out",
        );
      await using reading = start({
        name: "files.read",
        command: [WAITER_PATH, path],
        workingDir: "/",
        user,
        onLogLimit: "drop-oldest",
      });
      let bytes = 0;
      for await (const event of reading) {
        if (event.type === "gap") throw new ExecutorError(`${path}: was read too slowly`, { kind: "io" });
        if (event.type !== "output" || event.stream !== "stdout") continue;
        bytes += event.data.byteLength;
        if (bytes > maxBytes) refuse("path", `${path} has more than ${maxBytes} bytes`, "a larger maxBytes");
        yield event.data;
      }
      const { ok, exitCode, cause } = await reading.result;
      if (ok) return;
      const problem = PROBLEMS[exitCode ?? -1];
      if (cause === "exit" && problem !== undefined)
        refuse("path", `${path} ${problem}`, "a regular file that the user may read");
      throw new ExecutorError(`${path}: could not be read: ${cause}, ${exitCode}`, { kind: "runtime" });
    },
  };
}

interface Copy {
  readonly directory: readonly string[];
  readonly maxBytes: number;
  readonly owner: { readonly uid: number; readonly gid: number };
}

/** Reads an archive, checks each entry, and makes another archive of it. It is never held as a whole. */
async function* checkArchive(
  archive: Uint8Array | AsyncIterable<Uint8Array>,
  copy: Copy,
): AsyncGenerator<Uint8Array> {
  const source = Readable.from(archive instanceof Uint8Array ? [archive] : archive, { objectMode: false });
  const target = pack();
  const copying = copyEntries(source, target, copy).catch((reason: unknown) => {
    target.destroy(isExecutorError(reason) ? reason : invalidArchive(reason));
  });
  try {
    yield* target as AsyncIterable<Uint8Array>;
    await copying;
  } finally {
    source.destroy();
    target.destroy(new Error("nobody reads it any more"));
  }
}

async function copyEntries(
  source: Readable,
  target: Pack,
  { directory, maxBytes, owner }: Copy,
): Promise<void> {
  const check = createEntryCheck({ maxBytes, maxEntries: MAX_ENTRIES });
  // The differ ignores it. It makes each archive unique, so that nobody can guess the contents by the digest.
  const uname = randomUUID().slice(0, 31);
  const { uid, gid } = owner;
  const entries = extract();
  source.on("error", (reason) => entries.destroy(reason)).pipe(entries);
  for await (const entry of entries) {
    const { header } = entry;
    const { kind, parts } = check({ ...header, type: header.type ?? "file" });
    const name = [...directory, ...parts].join("/");
    if (isReservedTarget(`/${name}`))
      refuse("archive", `/${name} cannot be written`, "names outside of /proc, /sys, /dev and /.wfe-*");
    const mode = (header.mode ?? 0o644) & 0o777;
    const common = {
      name,
      uname,
      uid,
      gid,
      mode,
      mtime: header.mtime ?? new Date(0),
      pax: { uid: `${uid}`, gid: `${gid}` },
    };
    if (kind === "file" && parts.length > 0) {
      const file = target.entry({ ...common, type: "file", size: header.size ?? 0 });
      for await (const chunk of entry) if (!file.write(chunk)) await drained(file);
      file.end(undefined);
    } else {
      entry.resume();
      // The directory itself stays as it is.
      if (parts.length === 0) continue;
      if (kind === "directory") target.entry({ ...common, type: "directory" });
      else target.entry({ ...common, type: "symlink", linkname: header.linkname ?? "" });
    }
  }
  target.finalize();
}

function invalidArchive(cause: unknown): ExecutorError {
  const message = `cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`;
  const allowed = "a tar archive without compression";
  return new ExecutorError(`archive: ${message}; allowed: ${allowed}`, {
    kind: "refused",
    issues: [{ field: "archive", message, allowed }],
    cause,
  });
}

function checkPath(path: string): void {
  if (typeof path === "string" && isPlainPath(path) && !isReservedTarget(normalPath(path))) return;
  refuse(
    "path",
    `${JSON.stringify(path)} cannot be written to`,
    "an absolute path without . and .., not in /proc, /sys or /dev; example: /work",
  );
}

function checkMaximum(maxBytes: number): void {
  if (Number.isSafeInteger(maxBytes) && maxBytes >= 1) return;
  refuse("maxBytes", `${String(maxBytes)} is not a number of bytes`, "a whole number, 1 or more");
}
