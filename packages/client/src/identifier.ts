import { refuse } from "./refuse.js";

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
    refuse(
      `${field}: ${JSON.stringify(value.slice(0, 100))} is not a valid identifier`,
      `up to ${MAX_LENGTH} letters and digits, with single ".", "_" or "-" between them, for example web-1`,
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
    const problem =
      key === ""
        ? "has a label with an empty key"
        : `${JSON.stringify(key.slice(0, 64))} and its value have ${size} bytes`;
    refuse(`labels: ${problem}`, `a key, and up to ${MAX_LABEL_BYTES} bytes for the key and its value`);
  }
  return { ...labels };
}
