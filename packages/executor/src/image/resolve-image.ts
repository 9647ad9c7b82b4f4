import {
  type Client,
  ContainerdError,
  dockerCredentials,
  firstCredential,
  isContainerdError,
  type Platform,
  type PullOptions,
  type ResolvedImage,
} from "@wfe-containerd/client";
import { credentialsOf, type OptionNames, REGISTRY_OPTIONS } from "@wfe-containerd/client/internal";
import type { AllowedStep } from "../core/plan/checked-step.js";
import type { StepConfig } from "../core/step/step.js";
import { ExecutorError } from "../error.js";
import type { ProgressEvent } from "../event.js";

/**
 * How images are pulled, apart from the step's own fields: mirrors, certificates, credentials, signature
 * checks.
 */
export type ImagePullOptions = Pick<
  PullOptions,
  | "via"
  | "auth"
  | "hosts"
  | "tokenHosts"
  | "retry"
  | "timeouts"
  | "maxConcurrentLayers"
  | "timeoutMs"
  | "verify"
>;

const { auth, hosts, tokenHosts, retry, timeouts } = REGISTRY_OPTIONS;
export const PULL_OPTIONS: OptionNames<ImagePullOptions> = {
  via: true,
  auth,
  hosts,
  tokenHosts,
  retry,
  timeouts,
  maxConcurrentLayers: true,
  timeoutMs: true,
  verify: true,
};

export interface ResolveOptions {
  /** The daemon's platform. */
  readonly platform: Platform;
  readonly pull: ImagePullOptions;
  readonly signal: AbortSignal;
  readonly onProgress: (event: ProgressEvent) => void;
}

/**
 * Finds the step's image on the daemon, unpacked and ready as a snapshot's parent. Pulls it if the step's
 * pull policy says so.
 *
 * @throws ExecutorError `image-not-found` or `pull-failed`.
 */
export async function resolveImage(
  client: Client,
  { image, pull: policy, registryAuth }: AllowedStep,
  { platform, pull, signal, onProgress }: ResolveOptions,
): Promise<ResolvedImage> {
  try {
    return await client.images.pull(image, {
      ...pull,
      ...(registryAuth !== undefined && { auth: credentialsFor(registryAuth, pull.auth) }),
      policy,
      platform,
      signal,
      onProgress: (progress) => onProgress({ type: "progress", ...progress }),
    });
  } catch (reason) {
    if (!(reason instanceof ContainerdError) || signal.aborted) throw reason;
    if (policy === "never" && isContainerdError(reason, "not-found")) {
      throw new ExecutorError(
        `image ${image} is not in the namespace ${client.namespace}, and pull is never; import the image first, or set pull: if-not-present`,
        { kind: "image-not-found", cause: reason },
      );
    }
    // Only failures of the pull become pull errors. Failures of the daemon stay as they are.
    if (reason.operation?.startsWith("pull ") !== true) throw reason;
    throw new ExecutorError(reason.message, {
      kind: isContainerdError(reason, "not-found") ? "image-not-found" : "pull-failed",
      cause: reason,
    });
  }
}

/** The step's own credentials come first. Registries that they do not cover get those of the executor. */
function credentialsFor(
  own: NonNullable<StepConfig["registryAuth"]>,
  others: PullOptions["auth"],
): PullOptions["auth"] {
  if (others === "anonymous") return own;
  const fallback =
    others === undefined
      ? dockerCredentials()
      : typeof others === "function"
        ? others
        : credentialsOf(others);
  return firstCredential(credentialsOf(own), fallback);
}
