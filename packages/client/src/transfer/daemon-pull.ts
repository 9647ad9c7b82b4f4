import { randomUUID } from "node:crypto";
import { PassThrough } from "node:stream";
import { create, fromBinary } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { StreamInitSchema } from "@wfe-containerd/proto/services/streaming";
import { ImageStoreSchema } from "@wfe-containerd/proto/types/transfer/imagestore";
import { ProgressSchema } from "@wfe-containerd/proto/types/transfer/progress";
import {
  AuthRequestSchema,
  type AuthResponse,
  AuthResponseSchema,
  AuthType,
  OCIRegistrySchema,
} from "@wfe-containerd/proto/types/transfer/registry";
import { toMessageAny } from "../any.js";
import { callService } from "../call.js";
import type { Context } from "../context.js";
import { ContainerdError, type ErrorKind, isContainerdError } from "../error.js";
import { isLayer } from "../oci/media-type.js";
import type { Platform } from "../oci/platform.js";
import { formatReference, type Reference } from "../oci/reference.js";
import { refuse } from "../refuse.js";
import type { CredentialProvider, RegistryCredential } from "../registry/credential.js";
import type { ProgressReporter, TransferProgress } from "../registry/progress.js";
import type { RegistryOptions } from "../registry/repository.js";
import { describeNotFound } from "../registry/resolve.js";

export interface DaemonPull {
  /** Its lease protects the fetched content until the image refers to it. */
  readonly context: Context;
  readonly reference: Reference;
  readonly platform: Platform;
  readonly credentials: CredentialProvider;
  /** Use plain http for the registry. */
  readonly isPlain: boolean;
  readonly progress: ProgressReporter;
  readonly signal: AbortSignal;
}

/** Options that only our own pull supports. They are refused, not ignored. */
const NOT_THE_DAEMONS = [
  "verify",
  "tokenHosts",
  "retry",
  "timeouts",
  "maxConcurrentLayers",
  "maxUnpackedBytes",
  "platforms",
] as const;

/**
 * Checks whether the daemon can pull with these options.
 *
 * @throws ContainerdError `invalid-argument` for an option that the daemon would ignore; `not-implemented`
 * for containerd before 2.0.
 */
export async function checkDaemonPull(
  context: Context,
  options: RegistryOptions & { readonly [Key in (typeof NOT_THE_DAEMONS)[number]]?: unknown },
): Promise<void> {
  const ignored = NOT_THE_DAEMONS.find((key) => options[key] !== undefined);
  if (ignored !== undefined)
    refuse(`${ignored}: the daemon's own pull ignores this option`, 'leave it out, or via: "client"');
  const { hosts } = options;
  const others =
    typeof hosts === "object"
      ? Object.entries(hosts).filter(([key, value]) => key !== "plainHttp" && value !== undefined)
      : [];
  if (typeof hosts === "function" || others.length > 0)
    refuse("hosts: the daemon reads its own certs.d", 'only plainHttp, or via: "client"');
  const { version } = await callService("ask for the daemon's version", () =>
    context.services.version.version({}),
  );
  if (Number.parseInt(version.replace(/^v/, ""), 10) >= 2) return;
  throw new ContainerdError(`via: containerd ${version} cannot pull images itself; allowed: "client"`, {
    kind: "not-implemented",
  });
}

/**
 * Lets the daemon pull an image with its transfer service. The daemon fetches it over its own network,
 * verifies it, unpacks it, and stores its name.
 *
 * Source: containerd's core/transfer/{registry,image,local} and api/services/{transfer,streaming}.
 *
 * @returns digests of the blobs that the daemon already had.
 */
export async function pullByDaemon(pull: DaemonPull): Promise<ReadonlySet<string>> {
  const existing = new Set<string>();
  // The streams end with the transfer, and the transfer ends if a stream fails.
  const end = new AbortController();
  const signal = AbortSignal.any([pull.signal, end.signal]);
  let mistake: unknown;
  let heard: Promise<unknown> = Promise.resolve();
  try {
    using auth = await openStream(pull.context, signal);
    using progress = await openStream(pull.context, signal);
    heard = Promise.all([answerAuth(auth, pull), followProgress(progress, pull, existing)]).catch(
      (reason) => {
        mistake = reason;
        end.abort();
      },
    );
    await transfer(pull, auth.id, progress.id, signal);
  } catch (reason) {
    throw mistake ?? explain(reason, pull.reference);
  } finally {
    end.abort();
    await heard;
  }
  return existing;
}

/**
 * Kinds for errors to which the daemon gives no code, by their text: the texts of containerd 2.0 to 2.2, and
 * of Go's net.
 */
const KINDS: readonly (readonly [RegExp, ErrorKind])[] = [
  [/401 Unauthorized|authorization failed/, "unauthenticated"],
  [/403 Forbidden/, "permission-denied"],
  [/: not found|404 Not Found/, "not-found"],
  [/429 Too Many Requests/, "resource-exhausted"],
  [/dial tcp|5\d\d |connection reset|unexpected EOF|TLS handshake/, "unavailable"],
];

/** The daemon's words for a name that its registry does not have: `failed to resolve image: …: not found`. */
const UNRESOLVED = /failed to resolve .*(?:: not found|404 Not Found)/;

function explain(reason: unknown, reference: Reference): unknown {
  if (isContainerdError(reason, "not-found") && UNRESOLVED.test(reason.message))
    return notFound(reason, reason.message, reference);

  if (!isContainerdError(reason, "unknown")) return reason;
  const kind = KINDS.find(([words]) => words.test(reason.message))?.[1];
  if (kind === undefined) return reason;
  const { operation = "", message } = reason;
  if (kind === "not-found" && UNRESOLVED.test(message)) return notFound(reason, message, reference);
  return new ContainerdError(message.slice(`${operation}: `.length), { kind, operation, cause: reason });
}

function notFound(cause: ContainerdError, said: string, reference: Reference): ContainerdError {
  return new ContainerdError(describeNotFound(reference, said), { kind: "not-found", cause });
}

function transfer(
  { context, reference, platform, isPlain }: DaemonPull,
  authStream: string,
  progressStream: string,
  signal: AbortSignal,
): Promise<unknown> {
  const name = formatReference(reference);
  const source = create(OCIRegistrySchema, {
    reference: name,
    resolver: { authStream, defaultScheme: isPlain ? "http" : "" },
  });
  const destination = create(ImageStoreSchema, {
    name,
    platforms: [platform],
    unpacks: [{ platform, snapshotter: context.snapshotter }],
  });
  const request = {
    source: toMessageAny(OCIRegistrySchema, source),
    destination: toMessageAny(ImageStoreSchema, destination),
    options: { progressStream },
  };
  return callService(`pull ${name}`, () =>
    context.services.transfer.transfer(request, { signal, timeoutMs: 0 }),
  );
}

/**
 * Answers the daemon's requests for credentials. It asks when a host requires a login. A credential leaves
 * this process only for the host that the daemon names.
 */
async function answerAuth(stream: DaemonStream, { credentials, signal }: DaemonPull): Promise<void> {
  for await (const { value } of read(stream)) {
    const { host } = fromBinary(AuthRequestSchema, value);
    // Without an answer the daemon would wait forever. An error here ends the pull: see `pullByDaemon`.
    const credential = await credentials(host, { signal });
    stream.send(toMessageAny(AuthResponseSchema, create(AuthResponseSchema, toAuthResponse(credential))));
  }
}

function toAuthResponse(
  credential: RegistryCredential | undefined,
): Pick<AuthResponse, "authType"> & Partial<Pick<AuthResponse, "username" | "secret">> {
  if (credential === undefined) return { authType: AuthType.NONE };
  if ("identityToken" in credential) return { authType: AuthType.REFRESH, secret: credential.identityToken };
  if ("registryToken" in credential) {
    // The protocol has AuthType.HEADER for this, but containerd up to 2.1 does not read it.
    refuse("auth: the daemon cannot use a registryToken", 'password or identityToken, or via: "client"');
  }
  return { authType: AuthType.CREDENTIALS, username: credential.username, secret: credential.password };
}

/** The daemon's names for the states of a blob. */
const STATES: Readonly<Record<string, TransferProgress["state"]>> = {
  waiting: "waiting",
  downloading: "fetching",
  complete: "done",
  "already exists": "exists",
  extracting: "unpacking",
  extracted: "done",
};

/**
 * Reports the daemon's progress until its stream ends. Before 2.2, containerd does not report that a layer is
 * being unpacked or is unpacked.
 */
async function followProgress(
  stream: DaemonStream,
  { progress }: DaemonPull,
  existing: Set<string>,
): Promise<void> {
  for await (const { value } of read(stream)) {
    const { event, desc, progress: offset } = fromBinary(ProgressSchema, value);
    const state = STATES[event];
    if (desc === undefined || state === undefined) continue;
    const blob = { mediaType: desc.mediaType, digest: desc.digest, size: Number(desc.size) };
    if (state === "exists") existing.add(blob.digest);
    const isFetchedLayer = event === "complete" && isLayer(blob.mediaType);
    progress.report(blob, isFetchedLayer ? "unpacking" : state, Number(offset));
  }
}

/** Reads messages until the stream ends or we end it. */
async function* read({ messages }: DaemonStream): AsyncGenerator<Any> {
  for (;;) {
    const next = await messages.next().catch(() => undefined);
    if (next === undefined || next.done === true) return;
    yield next.value;
  }
}

/** A stream of messages in both directions, in addition to a call. Source: containerd's core/streaming. */
interface DaemonStream extends Disposable {
  readonly id: string;
  readonly messages: AsyncIterator<Any>;
  send(message: Any): void;
}

async function openStream(context: Context, signal: AbortSignal): Promise<DaemonStream> {
  const id = `pull-${randomUUID()}`;
  const outgoing = new PassThrough({ objectMode: true });
  const send = (message: Any): void => void outgoing.write(message);
  send(toMessageAny(StreamInitSchema, create(StreamInitSchema, { id })));
  const messages = context.services.streaming
    .stream(outgoing, { signal, timeoutMs: 0 })
    [Symbol.asyncIterator]();
  // The first message is not data: it confirms that the daemon has registered the stream.
  await callService("open a stream", () => messages.next());
  return {
    id,
    messages,
    send,
    [Symbol.dispose]() {
      outgoing.end();
    },
  };
}
