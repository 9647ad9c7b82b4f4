import { ContainerdError } from "../error.js";

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
  throw new ContainerdError(
    `${field}: ${JSON.stringify(text)?.slice(0, 160)} is no digest; allowed: sha256: or sha512: and its lower-case hexadecimal digits`,
    { kind: "invalid-argument" },
  );
}
