/** What stands in the output where a secret was. */
const MASK = new TextEncoder().encode("***");
/** Shorter ones would turn up in ordinary words: masking them would tell where they are, and spoil the rest. */
export const MIN_MASKED_BYTES = 4;
/** Of a secret of several lines, lines from this length on are masked by themselves too. */
const MIN_LINE_BYTES = 8;

/** Makes secrets unreadable in a stream of bytes. */
export interface Masker {
  /** Takes the next bytes; gives those of which it is certain by now that no secret begins in them. */
  push(chunk: Uint8Array): Uint8Array;
  /** No more follows. */
  end(): Uint8Array;
}

/**
 * Replaces secrets by `***`: as they are, each line of those that have several, in base64 (both alphabets, wherever in a longer text they begin),
 * percent-encoded, escaped as in JSON, and in hexadecimal digits. It holds back only what may be the beginning of one, which is never more
 * than the longest form of a secret.
 *
 * The search is Aho and Corasick's ("Efficient string matching", 1975): each byte is looked at once, however many secrets there are.
 */
export function createMasker(secrets: readonly Uint8Array[]): Masker {
  const automaton = createAutomaton(secrets.flatMap(formsOf));
  let state = automaton.root;
  /** What was taken, and not given yet. */
  let held = new Uint8Array(0);
  /** In `held`: where secrets are, by start and end, in order and apart. */
  let found: [start: number, end: number][] = [];

  function search(from: number): void {
    let at = from;
    while (at < held.byteLength) {
      const byte = held[at] as number;
      // Most bytes begin nothing.
      if (state === automaton.root && automaton.starts[byte] === 0) {
        at++;
        continue;
      }
      state = automaton.next(state, byte);
      at++;
      if (state.longest > 0) note(at - state.longest, at);
    }
  }

  function note(start: number, end: number): void {
    let first = start;
    for (let last = found.at(-1); last !== undefined && last[1] > first; last = found.at(-1)) {
      first = Math.min(first, last[0]);
      found.pop();
    }
    found.push([first, end]);
  }

  /** Gives what comes before `until`, but no part of a secret that goes on behind it. */
  function give(until: number): Uint8Array {
    const crossing = found.find(([, end]) => end > until);
    const stop = crossing === undefined ? until : Math.min(until, crossing[0]);
    const parts: Uint8Array[] = [];
    let at = 0;
    for (const [start, end] of found) {
      if (end > stop) break;
      parts.push(held.subarray(at, start), MASK);
      at = end;
    }
    parts.push(held.subarray(at, stop));
    found = found.filter(([, end]) => end > stop).map(([start, end]) => [start - stop, end - stop]);
    const given = concat(parts);
    held = held.slice(stop);
    return given;
  }

  return {
    push(chunk) {
      const from = held.byteLength;
      // Nothing is held, and nothing begins here: the bytes are theirs, and need not be copied twice.
      held = from === 0 ? chunk.slice() : concat([held, chunk]);
      search(from);
      return give(held.byteLength - state.open);
    },
    end: () => give(held.byteLength),
  };
}

/** All the ways in which a secret may be printed. */
function formsOf(secret: Uint8Array): Uint8Array[] {
  const whole = withoutFinalNewlines(secret);
  if (whole.byteLength < MIN_MASKED_BYTES) return [];
  const lines = splitLines(whole).filter((line) => line.byteLength >= MIN_LINE_BYTES);
  return [whole, ...lines].flatMap((bytes) => [
    bytes,
    ...base64Forms(bytes),
    ...hexForms(bytes),
    ...textForms(bytes),
  ]);
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

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/** A digit of base64 has six bits. */
const DIGIT_BITS = 6;
/** Fewer digits would be found in any base64. */
const MIN_DIGITS = 5;

/** Those digits that depend on these bytes alone, after 0, 1 or 2 bytes of something else; in both alphabets. */
function base64Forms(bytes: Uint8Array): Uint8Array[] {
  return [0, 1, 2].flatMap((shift) => {
    const first = Math.ceil((shift * 8) / DIGIT_BITS);
    const end = Math.floor(((shift + bytes.byteLength) * 8) / DIGIT_BITS);
    if (end - first < MIN_DIGITS) return [];
    let digits = "";
    // And the one after them, as it is when nothing follows.
    for (let digit = first; digit <= end; digit++)
      digits += BASE64[digitAt(bytes, digit * DIGIT_BITS - shift * 8)];
    const url = digits.replaceAll("+", "-").replaceAll("/", "_");
    return [digits, url].flatMap((form) => [encode(form.slice(0, -1)), encode(form)]);
  });
}

function digitAt(bytes: Uint8Array, bit: number): number {
  const at = bit >> 3;
  const pair = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  return (pair >> (10 - (bit & 7))) & 0x3f;
}

function hexForms(bytes: Uint8Array): Uint8Array[] {
  let digits = "";
  for (const byte of bytes) digits += byte.toString(16).padStart(2, "0");
  return [encode(digits), encode(digits.toUpperCase())];
}

/** What is no text is not escaped as one either. */
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

interface State {
  readonly children: Map<number, State>;
  /** Bytes of the longest beginning of a pattern that ends here, and may go on. */
  open: number;
  /** Where the search goes on when no child fits: the longest other beginning of a pattern that ends here. */
  fallback: State | undefined;
  /** Bytes of the longest pattern that ends here; 0 for none. */
  longest: number;
}

interface Automaton {
  readonly root: State;
  /** 1 for bytes that begin a pattern. */
  readonly starts: Uint8Array;
  next(state: State, byte: number): State;
}

function createAutomaton(patterns: readonly Uint8Array[]): Automaton {
  const root: State = { children: new Map(), open: 0, fallback: undefined, longest: 0 };
  const starts = new Uint8Array(256);
  for (const pattern of patterns) {
    let state = root;
    let depth = 0;
    for (const byte of pattern) {
      state.open = depth++;
      let child = state.children.get(byte);
      if (child === undefined) {
        child = { children: new Map(), open: 0, fallback: undefined, longest: 0 };
        state.children.set(byte, child);
      }
      state = child;
    }
    state.longest = Math.max(state.longest, pattern.byteLength);
    if (pattern.byteLength > 0) starts[pattern[0] as number] = 1;
  }

  function next(from: State, byte: number): State {
    for (let state: State | undefined = from; state !== undefined; state = state.fallback) {
      const child = state.children.get(byte);
      if (child !== undefined) return child;
    }
    return root;
  }

  // Level by level: a state's fallback is always less deep.
  const queue = [...root.children.values()];
  for (const child of queue) child.fallback = root;
  for (const state of queue) {
    for (const [byte, child] of state.children) {
      child.fallback = next(state.fallback as State, byte);
      child.longest = Math.max(child.longest, child.fallback.longest);
      child.open = Math.max(child.open, child.fallback.open);
      queue.push(child);
    }
  }
  return { root, starts, next };
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}
