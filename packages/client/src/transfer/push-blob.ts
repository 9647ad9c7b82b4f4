import type { Content, ContentInfo } from "../content/content.js";
import { isContainerdError } from "../error.js";
import type { Descriptor } from "../oci/descriptor.js";
import { checkSize } from "../oci/descriptor.js";
import type { Reference } from "../oci/reference.js";
import type { HttpResponse } from "../registry/http.js";
import type { ProgressReporter } from "../registry/progress.js";
import { retrying } from "../registry/retrier.js";
import { type UploadOptions, uploadBlob } from "../registry/upload.js";
import { sourceKey } from "./source-label.js";

export interface PushBlobOptions extends Omit<UploadOptions, "onOffset" | "content"> {
  readonly content: Content;
  readonly progress: ProgressReporter;
}

/**
 * Copies a blob from the content store to a registry. It sends nothing if the registry has the blob. If
 * another repository of the registry has it, it is mounted from there.
 */
export async function pushBlob(blob: Descriptor, options: PushBlobOptions): Promise<void> {
  const { content, progress, signal } = options;
  const { digest, size } = blob;
  const info = await content.info(digest, { signal });
  checkSize(blob, info.size, "data-loss");
  if (await isThere(blob, options)) return progress.report(blob, "exists", size);
  const begun = await beginUpload(blob, info.labels, options);
  if (begun.status === 201) {
    await begun.discard();
    return progress.report(blob, "mounted", size);
  }
  progress.report(blob, "pushing", 0);
  await uploadBlob(blob, begun, {
    ...options,
    onOffset: (offset) => progress.report(blob, "pushing", offset),
  });
  progress.report(blob, "done", size);
}

async function isThere(
  blob: Descriptor,
  { repository, endpoint, signal }: PushBlobOptions,
): Promise<boolean> {
  // A registry that does not support HEAD is sent the blob.
  const isAlsoFine = ({ status }: HttpResponse): boolean => [404, 405, 501].includes(status);
  return retrying({ retrier: repository.retrier(blob), signal }, async () => {
    const request = { method: "HEAD", to: `blobs/${blob.digest}`, isAlsoFine, signal } as const;
    const response = await repository.askOne(endpoint, request);
    await response.discard();
    return response.status === 200;
  });
}

/** @returns a 201 if the blob was mounted; else a 202 with the location of the upload. */
async function beginUpload(
  blob: Descriptor,
  labels: ContentInfo["labels"],
  { repository, endpoint, signal }: PushBlobOptions,
): Promise<HttpResponse> {
  const to = "blobs/uploads/";
  const request = { method: "POST", signal } as const;
  const from = mountCandidate(repository.reference, labels[sourceKey(repository.reference)]);
  if (from !== undefined) {
    const query = new URLSearchParams({ mount: blob.digest, from });
    const mounting = repository.askOne(endpoint, { ...request, to: `${to}?${query}`, alsoPullFrom: from });
    const mounted = await mounting.catch((reason: unknown) => {
      // The user may push to this repository, but may not be allowed to read the other one.
      if (isContainerdError(reason, "canceled")) throw reason;
      return undefined;
    });
    if (mounted !== undefined) return mounted;
  }
  return retrying({ retrier: repository.retrier(blob), signal }, () =>
    repository.askOne(endpoint, { ...request, to }),
  );
}

/**
 * Chooses the repository to mount from, of those that a label lists as sources of the blob: the one whose
 * path has the longest common beginning with the target's path.
 *
 * @param sources the label's value: `library/alpine,team/app`.
 */
function mountCandidate({ path }: Pick<Reference, "path">, sources: string | undefined): string | undefined {
  const wanted = path.split("/");
  let best: { repository: string; common: number } | undefined;
  for (const repository of (sources ?? "").split(",")) {
    if (repository === "" || repository === path) continue;
    const parts = repository.split("/");
    let common = 0;
    while (common < parts.length && parts[common] === wanted[common]) common++;
    if (best === undefined || common >= best.common) best = { repository, common };
  }
  return best?.repository;
}
