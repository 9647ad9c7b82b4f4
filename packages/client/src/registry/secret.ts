/**
 * Secrets that were sent to a server. The server may repeat them in a message, where they must not be shown.
 */
export interface Secrets {
  add(secret: string): void;
  redact(text: string): string;
}

/** Shorter secrets would match parts of ordinary words. */
const MIN_LENGTH = 4;

export function createSecrets(): Secrets {
  const known = new Set<string>();
  return {
    add(secret) {
      const bytes = Buffer.from(secret);
      for (const form of [
        secret,
        bytes.toString("base64"),
        bytes.toString("base64url"),
        encodeURIComponent(secret),
      ]) {
        if (form.length >= MIN_LENGTH) known.add(form);
      }
    },
    redact(text) {
      // Longest first: one secret may contain another.
      return [...known]
        .toSorted((a, b) => b.length - a.length)
        .reduce((shown, secret) => shown.replaceAll(secret, "***"), text);
    },
  };
}
