import type { Descriptor } from "../oci/descriptor.js";
import { normalizeReference, parseReference, withoutCredentials } from "../oci/reference.js";
import { refuse } from "../refuse.js";
import type { ArchivedImage } from "./archive-images.js";

export interface NamingOptions {
  /** The full name, for an archive of one image. */
  readonly name?: string | undefined;
  /** The name to put before each tag that the archive gives without a name. */
  readonly baseName?: string | undefined;
}

export interface NamedImage {
  readonly name: string;
  readonly target: Descriptor;
}

/**
 * Names the images of an archive. Entries without a name are left out if other entries have names, because
 * attestations and artifacts often lie next to an image.
 *
 * @param isImage whether a target is a container image, and not an artifact.
 */
export async function nameImages(
  found: readonly ArchivedImage[],
  { name, baseName }: NamingOptions,
  isImage: (target: Descriptor) => Promise<boolean>,
): Promise<NamedImage[]> {
  if (name !== undefined) return [{ name, target: await onlyImage(found, isImage) }];
  const named = new Map<string, Descriptor>();
  for (const { names, tag, target } of found) {
    const own =
      names.length === 0 && tag !== undefined && baseName !== undefined ? [`${baseName}:${tag}`] : names;
    for (const each of own.map(normalizeReference)) {
      // Different readers of the archive would choose different images.
      if ((named.get(each) ?? target).digest !== target.digest)
        refuse(`the archive gives two images the name ${each}; allowed: each name once`);
      named.set(each, target);
    }
  }
  if (named.size > 0) return [...named].map(([each, target]) => ({ name: each, target }));
  const tags = [...new Set(found.flatMap(({ tag = [] }) => tag))].map((tag) =>
    JSON.stringify(tag).slice(0, 150),
  );
  if (tags.length > 0) {
    refuse(
      `baseName is missing: the archive gives its images only tags, no names: ${tags.slice(0, 5).join(", ")}; give the name to put before the tag, for example registry.example.com/app; or name, for an archive of one image`,
    );
  }
  return refuse("name is missing: the archive gives its image no name; give a name, for example app:1.0");
}

async function onlyImage(
  found: readonly ArchivedImage[],
  isImage: (target: Descriptor) => Promise<boolean>,
): Promise<Descriptor> {
  const all = [...new Map(found.map(({ target }) => [target.digest, target])).values()];
  const [first] = all;
  if (first !== undefined && all.length === 1) return first;
  const images: Descriptor[] = [];
  for (const target of all) if (await isImage(target)) images.push(target);
  const [only] = images;
  if (only !== undefined && images.length === 1) return only;
  return refuse(
    `name: the archive contains ${images.length} images; allowed: a name for an archive of one image; without name, each image keeps the name that the archive gives it`,
  );
}

/**
 * Returns the base name if it is valid.
 *
 * @throws ContainerdError `invalid-argument` when it has a tag or a digest, or is not a name.
 */
export function checkBaseName(baseName: string): string {
  const last = baseName.slice(baseName.lastIndexOf("/") + 1);
  if (/[:@]/.test(last)) {
    refuse(
      `baseName: ${JSON.stringify(withoutCredentials(baseName).slice(0, 300))} has a tag or a digest; allowed: a name without them, for example registry.example.com/app`,
    );
  }
  parseReference(`${baseName}:tag`);
  return baseName;
}
