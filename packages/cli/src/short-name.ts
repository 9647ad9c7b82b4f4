import { familiarReference, formatReference, parseReference } from "@wfe-containerd/client";

/**
 * Shortens an image's name as docker does, if the short form leads to this image. It may not: other clients
 * store any name.
 *
 * @param others the names of all images. Default: none.
 */
export function shortName(name: string, others: ReadonlySet<string> = new Set()): string {
  try {
    const reference = parseReference(name);
    const short = familiarReference(reference);
    return formatReference(reference) === name && !others.has(short) ? short : name;
  } catch {
    return name;
  }
}
