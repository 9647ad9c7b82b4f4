import type { UnreleasedResource } from "../unreleased.js";
import { RELEASE } from "./channels.js";
import type { ReleaseDiagnostic } from "./messages.js";

/** What one pass of a release left, and the first failure. */
export interface ReleasePass {
  readonly unreleased: readonly UnreleasedResource[];
  readonly failure: { readonly reason: unknown } | undefined;
}

/** Runs one pass over what a step used. */
export async function traceRelease(
  id: string,
  attempt: number,
  pass: () => Promise<ReleasePass>,
): Promise<readonly UnreleasedResource[]> {
  if (!RELEASE.hasSubscribers) return (await pass()).unreleased;
  const message: ReleaseDiagnostic = {
    id,
    attempt,
    unreleased: [],
    durationMs: undefined,
    errorKind: undefined,
  };
  const running = RELEASE.start(message);
  const { unreleased, failure } = await pass();
  message.unreleased = unreleased;
  running.end(failure);
  return unreleased;
}
