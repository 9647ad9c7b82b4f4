import { createHash } from "node:crypto";
import { withTimeout } from "../concurrency/with-timeout.js";
import type { Context } from "../context.js";
import { ContainerdError, isContainerdError } from "../error.js";
import { type ContentWriter, type OpenWriterOptions, openWriter } from "./writer.js";

const CLOSE_MS = 10_000;

/**
 * Opens an ingest, as {@link openWriter} does. If the client waits for its daemon, the writer goes on after
 * an outage: the ingest's offset tells what the daemon has.
 */
export async function openLastingWriter(
  { services, outage }: Pick<Context, "services" | "outage">,
  options: OpenWriterOptions,
): Promise<ContentWriter> {
  const { ref, digest, signal } = options;
  if (outage === undefined) return openWriter(services.content, options);
  const daemonOutage = outage;
  const end = new AbortController();
  const streamSignal = AbortSignal.any([end.signal, ...(signal === undefined ? [] : [signal])]);
  const open = (): Promise<ContentWriter> =>
    openWriter(services.content, { ...options, signal: streamSignal });

  /** Makes attempts until none is cut off by an outage. */
  async function lasting<T>(make: (cuts: number) => Promise<T>): Promise<T> {
    const call = daemonOutage.watch("content.write", signal);
    for (;;) {
      try {
        return await call.attempt(() => make(call.cuts));
      } catch (reason) {
        // The daemon may still have our own cut stream open.
        if (!(call.cuts > 0 && isLocked(reason)) && !(await call.isCut(reason))) throw toError(reason);
        await call.back(reason).catch((late: unknown) => {
          throw toError(late);
        });
      }
    }
  }
  const toError = (reason: unknown): ContainerdError => ContainerdError.from(reason, `write ingest ${ref}`);

  let writer = await lasting(open);
  async function reopen(): Promise<void> {
    await close();
    writer = await open();
  }
  /** A daemon that hangs does not end the stream. */
  async function close(): Promise<void> {
    const closing = Promise.resolve(writer[Symbol.asyncDispose]());
    await withTimeout(closing, { timeoutMs: CLOSE_MS, what: `close ingest ${ref}` }).catch(() => undefined);
  }
  // Without a digest, only a hash of our own tells whether a commit has happened whose answer was lost.
  const hash = digest === undefined && writer.offset === 0 ? createHash("sha256") : undefined;

  return {
    get offset() {
      return writer.offset;
    },
    async write(chunk) {
      const bytes = chunk instanceof Uint8Array ? chunk : Buffer.concat(chunk);
      const start = writer.offset;
      await lasting(async (cuts) => {
        if (cuts > 0) await reopen();
        const written = writer.offset - start;
        if (written < 0 || written > bytes.byteLength) throw lost(ref, start, writer.offset);
        if (written < bytes.byteLength) await writer.write(bytes.subarray(written));
      });
      hash?.update(bytes);
    },
    async commit(expected) {
      const size = writer.offset;
      const known = expected.digest ?? digest;
      return lasting(async (cuts) => {
        if (cuts > 0) {
          const committed = known ?? (hash && `sha256:${hash.copy().digest("hex")}`);
          if (committed !== undefined && (await isCommitted(committed))) return { digest: committed, size };
          await reopen();
          if (writer.offset !== size) throw lost(ref, size, writer.offset);
        }
        return await writer.commit(expected);
      });
    },
    async [Symbol.asyncDispose]() {
      await close();
      end.abort();
    },
  };

  /** Whether the daemon has the content, and no ingest any more. */
  async function isCommitted(committed: string): Promise<boolean> {
    const ifThere = (asked: Promise<unknown>): Promise<boolean> =>
      asked.then(
        () => true,
        (reason: unknown) => {
          if (isContainerdError(ContainerdError.from(reason), "not-found")) return false;
          throw reason;
        },
      );
    if (await ifThere(services.content.status({ ref }, { signal }))) return false;
    return ifThere(services.content.info({ digest: committed }, { signal }));
  }
}

function isLocked(reason: unknown): boolean {
  return isContainerdError(reason, "unavailable") && /locked/.test(reason.message);
}

function lost(ref: string, expected: number, found: number): ContainerdError {
  return new ContainerdError(
    `ingest ${ref} had ${expected} bytes, and has ${found} after the daemon was away`,
    { kind: "data-loss" },
  );
}
