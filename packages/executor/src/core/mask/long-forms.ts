import { createHashTable } from "./hash-table.js";
import { MIN_CUT_BYTES, type Scanner } from "./scanner.js";

/** A long form is recorded by its beginnings of 32 bytes, 64, 96, and so on. */
export const STRIDE = 32;
/** The first 32 bytes of a form are recorded by beginnings of these lengths too. */
const PREFIXES = [16, 8, 4, 2, 1] as const;

/**
 * Factors of two polynomial sums, as in Rabin and Karp's search. They are odd and below 2^31, so engines
 * treat them as integers; the arithmetic has 32 bits.
 */
const FACTOR_1 = 0x2c1b3c6d;
const FACTOR_2 = 0x297a2d39;
/** The weight of the first of 32 bytes in the sum. */
const OUT = power(FACTOR_1, STRIDE - 1);

/**
 * Bytes of all forms for each byte of a secret: a base64 form is a third longer, a hexadecimal one twice as
 * long.
 */
const USUAL_FORMS = 14;
/** Small enough for the processor's caches, because each byte of output is looked up in it. */
const START_BITS = 20;
/**
 * How many forms are followed at one time. Only output that repeats itself has more, and all of that is
 * masked by then.
 */
const MOST_RUNS = 16;

type Found = (start: number, end: number) => void;

/** A form that began in the stream `length` bytes ago. */
interface Run {
  length: number;
  /** How many of its bytes belong to a secret in any case. */
  known: number;
  first: number;
  second: number;
}

/**
 * Finds forms of at least 32 bytes, and beginnings of them, by sums over their bytes. It takes eight to
 * twelve bytes for each 32 bytes of a form; an automaton takes 21 for each byte. If both 32-bit sums of
 * other bytes happen to match, these are masked too, but nobody will see that happen.
 *
 * @param secretBytes how many bytes the secrets have whose forms will be added
 */
export function createLongForms(secretBytes: number): { add(form: Uint8Array): void; scanner(): Scanner } {
  const table = createHashTable((secretBytes * USUAL_FORMS) / STRIDE);
  /** By the low bits of a length: 1 if forms of such a length exist. */
  const endings = new Uint8Array(0x1_0000);
  /** By bits of the first sum: whether a form's first 32 bytes may have this sum. */
  const starts = new Uint8Array(1 << (START_BITS - 3));

  /** The form that was added before, and its sums. */
  let before = { form: new Uint8Array(0) as Uint8Array, first: 0, second: 0, isShared: false };

  /** Adds a form. Shorter forms come first, because a longer one may go on where a shorter one ends. */
  function add(form: Uint8Array): void {
    // Base64 comes without its last digit, then with it: the same bytes in memory.
    const { form: other } = before;
    const isMore = form.buffer === other.buffer && form.byteOffset === other.byteOffset;
    let { first, second } = isMore ? before : { first: 0, second: 0 };
    if (isMore) table.add(first, second, other.byteLength, true);
    /** Whether another form has the same beginning. It may end before the next 32 bytes. */
    let isShared = isMore && before.isShared;
    const end = form.byteLength;
    for (let length = isMore ? other.byteLength : 0; length < end; ) {
      const node = isShared ? length + 1 : Math.min(end, nodeAfter(length));
      for (; length < node; length++) {
        const byte = (form[length] as number) + 1;
        first = (Math.imul(first, FACTOR_1) + byte) | 0;
        second = (Math.imul(second, FACTOR_2) + byte) | 0;
      }
      if (length === end || !isShared || length % STRIDE === 0) {
        const isThere = table.add(first, second, length, length < end);
        if (length % STRIDE === 0) isShared = isThere;
      } else if (endings[length & 0xffff] === 1 && table.find(first, second, length) !== "none")
        table.add(first, second, length, true);
      if (length === STRIDE) {
        const start = startOf(first);
        starts[start >> 3] = (starts[start >> 3] as number) | (1 << (start & 7));
      }
    }
    endings[end & 0xffff] = 1;
    before = { form, first, second, isShared };
  }

  function scanner(): Scanner {
    let runs: Run[] = [];

    /**
     * Follows a run from a byte on.
     *
     * @returns the index of the byte at which the run ended, or the end of `bytes` if it goes on
     */
    function follow(run: Run, bytes: Uint8Array, from: number, found: Found): number {
      for (let at = from; at < bytes.byteLength; at++) {
        const byte = (bytes[at] as number) + 1;
        run.first = (Math.imul(run.first, FACTOR_1) + byte) | 0;
        run.second = (Math.imul(run.second, FACTOR_2) + byte) | 0;
        const length = ++run.length;
        if (length % STRIDE !== 0 && endings[length & 0xffff] === 0) continue;
        const known = table.find(run.first, run.second, length);
        if (known === "none") {
          if (length % STRIDE === 0) return at;
          continue;
        }
        run.known = length;
        found(at + 1 - length, at + 1);
        if (known === "ends") return at;
      }
      return bytes.byteLength;
    }

    /** Returns how many bytes at the end may begin a form whose first 32 bytes are not complete yet. */
    function begun(bytes: Uint8Array, least: number): number {
      const end = bytes.byteLength;
      for (let tail = Math.min(STRIDE - 1, end); tail >= least; tail--) {
        const length = PREFIXES.find((prefix) => prefix <= tail) as number;
        const [first, second] = [FACTOR_1, FACTOR_2].map((factor) =>
          sumOf(bytes, end - tail, end - tail + length, factor),
        ) as [number, number];
        if (table.find(first, second, length) !== "none") return tail;
      }
      return 0;
    }

    return {
      scan(bytes, from, found) {
        const end = bytes.byteLength;
        let under = runs.map((run) => ({ run, until: follow(run, bytes, from, found) }));
        runs = under.filter(({ until }) => until === end).map(({ run }) => run);
        // Earlier bytes begin nothing; otherwise they would still be in this buffer.
        const begin = Math.max(0, from - STRIDE + 1);
        let first = sumOf(bytes, begin, Math.min(begin + STRIDE - 1, end), FACTOR_1);
        for (let at = begin + STRIDE - 1; at < end; at++) {
          first = (Math.imul(first, FACTOR_1) + (bytes[at] as number) + 1) | 0;
          const start = startOf(first);
          if (((starts[start >> 3] as number) & (1 << (start & 7))) !== 0) {
            const second = sumOf(bytes, at + 1 - STRIDE, at + 1, FACTOR_2);
            const known = table.find(first, second, STRIDE);
            if (known !== "none") found(at + 1 - STRIDE, at + 1);
            under = under.filter(({ until }) => until > at);
            if (known === "goes on" && under.length < MOST_RUNS) {
              const run = { length: STRIDE, known: STRIDE, first, second };
              const until = follow(run, bytes, at + 1, found);
              under.push({ run, until });
              if (until === end) runs.push(run);
            }
          }
          first = (first - Math.imul((bytes[at + 1 - STRIDE] as number) + 1, OUT)) | 0;
        }
        const unknown = runs.map((run) => run.length - run.known);
        return Math.max(0, ...unknown, begun(bytes, 1));
      },
      cutOff(bytes) {
        const unknown = runs.filter(({ length, known }) => length > known).map(({ length }) => length);
        return Math.max(0, ...unknown, begun(bytes, MIN_CUT_BYTES));
      },
      get isIdle() {
        return runs.length === 0;
      },
    };
  }

  return { add, scanner };
}

function sumOf(bytes: Uint8Array, start: number, end: number, factor: number): number {
  let sum = 0;
  for (let at = start; at < end; at++) sum = (Math.imul(sum, factor) + (bytes[at] as number) + 1) | 0;
  return sum;
}

/** Index of the bit that tells whether a form may begin with this sum. */
function startOf(first: number): number {
  return Math.imul(first ^ (first >>> 15), 0x45d9f3b) >>> (32 - START_BITS);
}

/** The next length at which beginnings are recorded. */
function nodeAfter(length: number): number {
  return length < 16 ? Math.max(1, 2 * length) : length - (length % STRIDE) + STRIDE;
}

function power(factor: number, times: number): number {
  let result = 1;
  for (let at = 0; at < times; at++) result = Math.imul(result, factor);
  return result;
}
