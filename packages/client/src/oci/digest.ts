import { createHash } from "node:crypto";
import { refuse } from "../refuse.js";

/**
 * Whether the text is `sha256:` with 64 hexadecimal digits, or `sha512:` with 128. Other algorithms are
 * refused.
 */
export function isDigest(text: string): boolean {
  return /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/.test(text);
}

/**
 * Returns the digest if it is valid.
 *
 * @param field begins the error's message.
 * @throws ContainerdError `invalid-argument`.
 */
export function checkDigest(field: string, text: unknown): string {
  if (typeof text === "string" && isDigest(text)) return text;
  return refuse(
    `${field}: ${JSON.stringify(text)?.slice(0, 160)} is not a digest`,
    "sha256: and 64, or sha512: and 128 hexadecimal digits, in lower case",
  );
}

/**
 * Hashes bytes, or a text in UTF-8.
 *
 * @param like a digest, or the beginning of one; its algorithm is used. Default: SHA-256.
 */
export function digestOf(bytes: Uint8Array | string, like = "sha256:"): string {
  const algorithm = like.startsWith("sha512:") ? "sha512" : "sha256";
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}
