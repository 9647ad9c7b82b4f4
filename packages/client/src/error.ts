import { Code, ConnectError } from "@connectrpc/connect";

/** The kind of an error: the terms of containerd's errdefs package, one for each of gRPC's status codes. */
export type ErrorKind =
  | "canceled"
  | "unknown"
  | "invalid-argument"
  | "deadline-exceeded"
  | "not-found"
  | "already-exists"
  | "permission-denied"
  | "resource-exhausted"
  | "failed-precondition"
  | "aborted"
  | "out-of-range"
  | "not-implemented"
  | "internal"
  | "unavailable"
  | "data-loss"
  | "unauthenticated";

const KIND_OF_CODE: Record<Code, ErrorKind> = {
  [Code.Canceled]: "canceled",
  [Code.Unknown]: "unknown",
  [Code.InvalidArgument]: "invalid-argument",
  [Code.DeadlineExceeded]: "deadline-exceeded",
  [Code.NotFound]: "not-found",
  [Code.AlreadyExists]: "already-exists",
  [Code.PermissionDenied]: "permission-denied",
  [Code.ResourceExhausted]: "resource-exhausted",
  [Code.FailedPrecondition]: "failed-precondition",
  [Code.Aborted]: "aborted",
  [Code.OutOfRange]: "out-of-range",
  [Code.Unimplemented]: "not-implemented",
  [Code.Internal]: "internal",
  [Code.Unavailable]: "unavailable",
  [Code.DataLoss]: "data-loss",
  [Code.Unauthenticated]: "unauthenticated",
};

/** What makes a {@link ContainerdError}, besides its message. */
export interface ContainerdErrorOptions {
  readonly kind: ErrorKind;
  /** The operation that failed: `create container web-1`. */
  readonly operation?: string | undefined;
  readonly cause?: unknown;
}

/**
 * The only error class that this package throws. Use `kind` to decide in code, and `message` to tell a
 * person.
 *
 * @example
 * ```
 * try {
 *   await client.images.get("alpine");
 * } catch (error) {
 *   if (!isContainerdError(error, "not-found")) throw error;
 * }
 * ```
 */
export class ContainerdError extends Error {
  override readonly name = "ContainerdError";
  readonly kind: ErrorKind;
  readonly operation: string | undefined;

  constructor(message: string, { kind, operation, cause }: ContainerdErrorOptions) {
    super(operation === undefined ? message : `${operation}: ${message}`, { cause });
    this.kind = kind;
    this.operation = operation;
  }

  /**
   * The gRPC status code of the daemon's answer, as in Connect's `Code`. Undefined if the daemon did not
   * answer.
   */
  get code(): number | undefined {
    return this.cause instanceof ConnectError ? this.cause.code : undefined;
  }

  /**
   * Turns anything that was thrown into a ContainerdError. Returns a ContainerdError unchanged.
   *
   * @param operation the operation that failed, in words. The message begins with it.
   */
  static from(reason: unknown, operation?: string): ContainerdError {
    if (reason instanceof ContainerdError) return reason;
    if (reason instanceof ConnectError) {
      return new ContainerdError(reason.rawMessage, {
        kind: KIND_OF_CODE[reason.code],
        operation,
        cause: reason,
      });
    }
    const isAbort =
      reason instanceof Error && (reason.name === "AbortError" || reason.name === "TimeoutError");
    const message = reason instanceof Error ? reason.message : String(reason);
    return new ContainerdError(message, { kind: isAbort ? "canceled" : "unknown", operation, cause: reason });
  }
}

/** Whether a thrown value is a {@link ContainerdError}; if `kind` is given, one of that kind. */
export function isContainerdError(error: unknown, kind?: ErrorKind): error is ContainerdError {
  return error instanceof ContainerdError && (kind === undefined || error.kind === kind);
}
