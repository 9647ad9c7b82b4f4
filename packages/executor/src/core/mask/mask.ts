import { createAutomaton } from "./automaton.js";
import { formsOf, partsOf, wrappedFormsOf } from "./forms.js";
import { createLongForms, STRIDE } from "./long-forms.js";
import type { Scanner, Stretch } from "./scanner.js";

/** Replaces a secret in the output. */
const MASK = new TextEncoder().encode("***");
/** This many bytes of secrets, the shortest first, are searched byte by byte; longer ones by pieces. */
const EXACT_BYTES = 16 * 1024;

/** Masks secrets in a stream of bytes. */
export interface Masker {
  /** Takes the next bytes. Returns the bytes that can no longer be part of a secret. */
  push(chunk: Uint8Array): Uint8Array;
  /** Ends the stream. Returns the rest, and masks what may be a secret that was cut off. */
  end(): Uint8Array;
  /** Whether a new masker would mask the rest of the stream in the same way. */
  readonly isIdle: boolean;
}

/**
 * Replaces secrets by `***`. It finds
 * - a secret as it is, and each line of one that has several lines;
 * - a secret in base64 (both alphabets, anywhere in a longer text), percent-encoded, escaped as in JSON, and
 *   in hexadecimal digits;
 * - the lines into which programs break such digits;
 * - at the end of the stream, a secret that is cut off after four bytes or more.
 *
 * A masker holds back only what may be the beginning of a secret, never more than the longest form of a
 * secret.
 *
 * If there are more than 16 KiB of secrets, counting their lines as well, the longest are masked from their
 * first 32 bytes on, as far as they are printed. Of these, lines shorter than 32 bytes are not masked, and
 * neither are digits that are broken into lines.
 *
 * @returns a function that makes a masker for one stream. All maskers share what is known of the secrets.
 */
export function createMaskers(secrets: readonly Uint8Array[]): () => Masker {
  const { exact, long } = divide(secrets);
  const automaton = createAutomaton(exact.flatMap((part) => [...formsOf(part), ...wrappedFormsOf(part)]));
  if (long.length === 0) return () => createMasker([automaton()]);
  const forms = createLongForms(long.reduce((sum, { byteLength }) => sum + byteLength, 0));
  for (const part of long) for (const form of formsOf(part)) forms.add(form);
  return () => createMasker([automaton(), forms.scanner()]);
}

/**
 * Divides the secrets into those that are searched byte by byte and longer ones, each list in order of
 * length.
 */
function divide(secrets: readonly Uint8Array[]): { exact: Uint8Array[]; long: Uint8Array[] } {
  const parts = secrets.map(partsOf).filter((part) => part !== undefined);
  const wholes = new Set(parts.map(({ whole }) => whole));
  const all = [...wholes, ...parts.flatMap(({ lines }) => lines)].toSorted(
    (a, b) => a.byteLength - b.byteLength,
  );
  const exact: Uint8Array[] = [];
  const long: Uint8Array[] = [];
  let bytes = 0;
  for (const part of all) {
    bytes += part.byteLength;
    if (bytes <= EXACT_BYTES || (part.byteLength < STRIDE && wholes.has(part))) exact.push(part);
    else if (part.byteLength >= STRIDE) long.push(part);
  }
  return { exact, long };
}

function createMasker(scanners: readonly Scanner[]): Masker {
  /** Bytes that were taken and not returned yet. */
  let held = new Uint8Array(0);
  /** Where secrets are in `held`, in order and without overlap. */
  let found: Stretch[] = [];

  /** Returns the bytes before `until`, but no part of a secret that goes on after it. */
  function give(until: number): Uint8Array {
    const crossing = found.find(([, end]) => end > until);
    const stop = crossing === undefined ? until : Math.max(0, Math.min(until, crossing[0]));
    const parts: Uint8Array[] = [];
    let at = 0;
    for (const [start, end] of found) {
      if (end > stop) break;
      // The mask of a secret that began earlier is already in the output.
      if (start >= 0) parts.push(held.subarray(at, start), MASK);
      at = end;
    }
    parts.push(held.subarray(at, stop));
    found = found.filter(([, end]) => end > stop).map(([start, end]) => [start - stop, end - stop]);
    const given = concat(parts);
    held = held.slice(stop);
    return given;
  }

  return {
    get isIdle() {
      return held.byteLength === 0 && scanners.every((scanner) => scanner.isIdle);
    },
    push(chunk) {
      const from = held.byteLength;
      // The bytes are the caller's, so they are copied, but only once. slice() of a Buffer does not copy.
      held = from === 0 ? new Uint8Array(chunk) : concat([held, chunk]);
      let open = 0;
      const news: Stretch[][] = [];
      for (const scanner of scanners) {
        const list: Stretch[] = [];
        open = Math.max(
          open,
          scanner.scan(held, from, (start, end) => note(list, start, end)),
        );
        if (list.length > 0) news.push(list);
      }
      if (news.length > 0) found = union([...found, ...news.flat()]);
      return give(held.byteLength - open);
    },
    end() {
      const end = held.byteLength;
      const cut = Math.max(...scanners.map((scanner) => scanner.cutOff(held)));
      if (cut > 0) found = union([...found, [end - cut, end]]);
      return give(end);
    },
  };
}

/** Adds a stretch. It becomes one with stretches that it overlaps. */
function note(list: Stretch[], start: number, end: number): void {
  let first = start;
  for (let last = list.at(-1); last !== undefined && last[1] > first && last[1] <= end; last = list.at(-1)) {
    first = Math.min(first, last[0]);
    list.pop();
  }
  list.push([first, end]);
}

function union(stretches: readonly Stretch[]): Stretch[] {
  const apart: Stretch[] = [];
  for (const [start, end] of stretches.toSorted((a, b) => a[0] - b[0])) {
    const last = apart.at(-1);
    if (last !== undefined && last[1] > start) last[1] = Math.max(last[1], end);
    else apart.push([start, end]);
  }
  return apart;
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
