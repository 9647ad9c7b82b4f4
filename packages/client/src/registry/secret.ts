/** What must not be shown, and was told to somebody who may say it back in a message. */
export interface Secrets {
  add(secret: string): void;
  redact(text: string): string;
}

/** Shorter ones would turn up in ordinary words. */
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
      // Longest first: one secret may hold another.
      return [...known]
        .toSorted((a, b) => b.length - a.length)
        .reduce((shown, secret) => shown.replaceAll(secret, "***"), text);
    },
  };
}
