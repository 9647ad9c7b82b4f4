import type { Client, Image } from "@wfe-containerd/client";
import { ignoreNotFound } from "@wfe-containerd/client/internal";
import { UsageError } from "./failure.js";

/** The beginning of a digest, as `images -q` prints it: with or without `sha256:`. */
const DIGEST_START = /^(?:sha256:)?([0-9a-f]{4,64})$/;

/**
 * Finds the image that a word means, by docker's rule: its name, else the beginning of its digest.
 *
 * @throws ContainerdError `not-found` if there is no such image; UsageError if the digest is that of several.
 */
export async function findImage(client: Client, word: string): Promise<Image> {
  const [first] = await findImages(client, word);
  // The error of the name that it is not either.
  return first ?? client.images.get(word);
}

/** As `findImage`. An image that is meant by its digest may have several names. */
export async function findImages(client: Client, word: string): Promise<readonly Image[]> {
  const [, start] = DIGEST_START.exec(word) ?? [];
  if (start === undefined) return [await client.images.get(word)];
  const named = await ignoreNotFound(client.images.get(word));
  if (named !== undefined) return [named];
  return chooseImages(word, start, await client.images.list());
}

/** @throws UsageError if the images have different digests. Several names of one image are one image. */
export function chooseImages(word: string, start: string, images: readonly Image[]): readonly Image[] {
  const found = images.filter(({ target }) => target.digest.startsWith(`sha256:${start}`));
  const digests = new Set(found.map(({ target }) => target.digest));
  if (digests.size <= 1) return found;
  throw new UsageError(
    `${JSON.stringify(word)} is the beginning of ${digests.size} digests: ${found.map(({ name, target }) => `${target.digest} (${name})`).join(", ")}; give more digits, or a name`,
  );
}
