import { ContainerdError } from "./error.js";

const PATTERN = /^[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$/;
const MAX_LENGTH = 76;
const MAX_LABEL_BYTES = 4096;

/**
 * Checks an identifier by containerd's own rules (`pkg/identifiers`), before anything is sent.
 *
 * @param field begins the error's message.
 * @throws ContainerdError `invalid-argument`.
 */
export function checkIdentifier(field: string, value: string): string {
  if (value.length > MAX_LENGTH || !PATTERN.test(value)) {
    throw new ContainerdError(
      `${field}: ${JSON.stringify(value.slice(0, 100))} is no identifier; allowed: at most ${MAX_LENGTH} letters and digits, with single ".", "_" or "-" between them`,
      { kind: "invalid-argument" },
    );
  }
  return value;
}

/**
 * Checks labels by containerd's own rule (`labels.Validate`): a key and its value have at most 4096 bytes
 * together.
 *
 * @returns a copy of the labels.
 * @throws ContainerdError `invalid-argument`.
 */
export function checkLabels(labels: Readonly<Record<string, string>> = {}): Record<string, string> {
  for (const [key, value] of Object.entries(labels)) {
    const size = Buffer.byteLength(key) + Buffer.byteLength(value);
    if (key !== "" && size <= MAX_LABEL_BYTES) continue;
    throw new ContainerdError(
      `labels: ${JSON.stringify(key.slice(0, 64))} has ${size} bytes with its value; allowed: a key, and at most ${MAX_LABEL_BYTES} bytes together`,
      { kind: "invalid-argument" },
    );
  }
  return { ...labels };
}
