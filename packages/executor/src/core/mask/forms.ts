/**
 * Shorter secrets occur in ordinary words. Masking them would show where they are, and spoil the other
 * output.
 */
const MIN_MASKED_BYTES = 4;
/** In a secret of several lines, lines from this length on are also masked by themselves. */
const MIN_LINE_BYTES = 8;

/**
 * Returns what is masked of a secret: all of it, and the lines of one that has several lines. Undefined if
 * the secret is too short.
 */
export function partsOf(secret: Uint8Array): { whole: Uint8Array; lines: Uint8Array[] } | undefined {
  const whole = withoutFinalNewlines(secret);
  if (whole.byteLength < MIN_MASKED_BYTES) return undefined;
  return { whole, lines: splitLines(whole).filter((line) => line.byteLength >= MIN_LINE_BYTES) };
}

/** Returns all forms in which bytes may be printed. No form is shorter than the bytes. */
export function formsOf(bytes: Uint8Array): Uint8Array[] {
  return [bytes, ...base64Forms(bytes), ...hexForms(bytes), ...textForms(bytes)];
}

/**
 * How many bytes programs put in a line of digits: base64 in 76 columns, openssl and PEM in 64, xxd -p in 60.
 */
const BYTES_IN_A_LINE = [57, 48, 30];

/**
 * Returns the lines of digits in which a program prints the bytes, if it prints nothing before them. They are
 * shorter than the bytes themselves.
 */
export function wrappedFormsOf(bytes: Uint8Array): Uint8Array[] {
  return BYTES_IN_A_LINE.flatMap((length) => cut(bytes, length))
    .filter((piece) => piece.byteLength >= MIN_LINE_BYTES)
    .flatMap((piece) => [...base64Forms(piece, [0]), ...hexForms(piece)]);
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;

function withoutFinalNewlines(bytes: Uint8Array): Uint8Array {
  let end = bytes.byteLength;
  while (end > 0 && (bytes[end - 1] === NEWLINE || bytes[end - 1] === RETURN)) end--;
  return bytes.subarray(0, end);
}

function splitLines(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  let start = 0;
  for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
    lines.push(withoutFinalNewlines(bytes.subarray(start, end)));
    start = end + 1;
  }
  if (start > 0) lines.push(withoutFinalNewlines(bytes.subarray(start)));
  return lines;
}

/** Returns pieces of that length, or nothing if one piece is enough. */
function cut(bytes: Uint8Array, length: number): Uint8Array[] {
  if (bytes.byteLength <= length) return [];
  const pieces: Uint8Array[] = [];
  for (let start = 0; start < bytes.byteLength; start += length)
    pieces.push(bytes.subarray(start, start + length));
  return pieces;
}

const LETTERS_AND_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const BASE64 = [encode(`${LETTERS_AND_DIGITS}+/`), encode(`${LETTERS_AND_DIGITS}-_`)];
const LOWER_HEX = encode("0123456789abcdef");
const UPPER_HEX = encode("0123456789ABCDEF");
/** A base64 digit has six bits. */
const DIGIT_BITS = 6;
/** Fewer digits would occur in any base64 text. */
const MIN_DIGITS = 5;

/**
 * Returns the base64 digits that depend on these bytes alone, after 0, 1 or 2 other bytes, in both alphabets.
 */
function base64Forms(bytes: Uint8Array, shifts: readonly number[] = [0, 1, 2]): Uint8Array[] {
  return shifts.flatMap((shift) => {
    const first = Math.ceil((shift * 8) / DIGIT_BITS);
    const end = Math.floor(((shift + bytes.byteLength) * 8) / DIGIT_BITS);
    if (end - first < MIN_DIGITS) return [];
    return BASE64.flatMap((digits) => {
      const form = new Uint8Array(end - first + 1);
      // Also the digit after them, as it is if nothing follows.
      for (let digit = first; digit <= end; digit++)
        form[digit - first] = digits[digitAt(bytes, digit * DIGIT_BITS - shift * 8)] as number;
      return [form.subarray(0, -1), form];
    });
  });
}

function digitAt(bytes: Uint8Array, bit: number): number {
  const at = bit >> 3;
  const pair = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  return (pair >> (10 - (bit & 7))) & 0x3f;
}

function hexForms(bytes: Uint8Array): Uint8Array[] {
  return [LOWER_HEX, UPPER_HEX].map((digits) => {
    const form = new Uint8Array(2 * bytes.byteLength);
    bytes.forEach((byte, at) => {
      form[2 * at] = digits[byte >> 4] as number;
      form[2 * at + 1] = digits[byte & 15] as number;
    });
    return form;
  });
}

/** Returns the bytes percent-encoded and as JSON. Bytes that are not text have no such forms. */
function textForms(bytes: Uint8Array): Uint8Array[] {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return [];
  }
  const percent = encodeURIComponent(text);
  const json = JSON.stringify(text).slice(1, -1);
  const forms = new Set<string>();
  for (const form of [
    percent,
    percent.replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`),
  ])
    for (const cased of [form, form.replaceAll(/%[0-9A-F]{2}/g, (code) => code.toLowerCase())])
      for (const spaced of [cased, cased.replaceAll("%20", "+")]) forms.add(spaced);
  for (const form of [json, json.replaceAll("/", "\\/")]) forms.add(form);
  forms.delete(text);
  return [...forms].map(encode);
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
