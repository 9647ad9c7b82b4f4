import type { OutputStream } from "../io/io.js";

/** A place in a stream: in what the step printed, and in what is left of it after masking. */
export interface Position {
  readonly raw: number;
  readonly bytes: number;
}

export type Positions = Readonly<Record<OutputStream, Position>>;

/** What had been read at a time. */
export interface Mark {
  readonly timeMs: number;
  readonly ends: Positions;
}

export const START: Position = { raw: 0, bytes: 0 };

/** Additions to one stream within this time are one mark. */
const SAME_TIME_MS = 10;
/** Above this many marks or checkpoints, every second one is dropped. */
const MOST = 8192;

/** When what was read of a log, in bounded memory: with many marks, times and order become coarser. */
export interface Journal {
  readonly ends: Positions;
  /**
   * @param isClean whether reading can begin at this place: no secret goes on over it.
   */
  add(stream: OutputStream, end: Position, timeMs: number, isClean: boolean): void;
  /** What was read, but is not kept: it gets no mark. */
  pass(stream: OutputStream, end: Position): void;
  /** How much each stream had when both together had this many bytes. */
  at(bytes: number): Readonly<Record<OutputStream, number>>;
  /** The first mark behind these places: its end is further in at least one stream. */
  after(raw: Readonly<Record<OutputStream, number>>): Mark | undefined;
  /** The last place at or before an offset at which reading can begin. */
  seek(stream: OutputStream, bytes: number): Position;
  /** The first such place at or behind an offset. */
  seekForward(stream: OutputStream, bytes: number): Position;
}

export function createJournal(): Journal {
  let marks: Mark[] = [];
  let last: OutputStream | undefined;
  let ends: Positions = { stdout: START, stderr: START };
  const clean: Record<OutputStream, Position[]> = { stdout: [START], stderr: [START] };
  function add(stream: OutputStream, end: Position, timeMs: number, isClean: boolean): void {
    ends = { ...ends, [stream]: end };
    if (isClean) {
      clean[stream].push(end);
      if (clean[stream].length > MOST) clean[stream] = clean[stream].filter((_, at) => at % 2 === 0);
    }
    const newest = marks.at(-1);
    if (last === stream && newest !== undefined && timeMs - newest.timeMs <= SAME_TIME_MS)
      marks[marks.length - 1] = { timeMs: newest.timeMs, ends };
    else marks.push({ timeMs, ends });
    last = stream;
    if (marks.length > MOST) marks = marks.filter((_, at) => at % 2 === (marks.length - 1) % 2);
  }

  return {
    get ends() {
      return ends;
    },
    add,
    pass(stream, end) {
      ends = { ...ends, [stream]: end };
    },
    at(bytes) {
      const index = firstIndex(marks, (mark) => totalOf(mark.ends) >= bytes);
      const { ends: to } = marks[index] ?? { ends };
      const from = marks[index - 1]?.ends ?? { stdout: START, stderr: START };
      // A mark is of one stream, unless marks were dropped. Then nobody knows which of its bytes came first.
      const part = (bytes - totalOf(from)) / Math.max(1, totalOf(to) - totalOf(from));
      const within = (stream: OutputStream): number =>
        from[stream].bytes + Math.ceil(Math.min(1, part) * (to[stream].bytes - from[stream].bytes));
      return { stdout: within("stdout"), stderr: within("stderr") };
    },
    after(raw) {
      const at = firstIndex(
        marks,
        (mark) => mark.ends.stdout.raw > raw.stdout || mark.ends.stderr.raw > raw.stderr,
      );
      return marks[at];
    },
    seek(stream, bytes) {
      const places = clean[stream];
      return places[firstIndex(places, (place) => place.bytes > bytes) - 1] ?? START;
    },
    seekForward(stream, bytes) {
      const places = clean[stream];
      return places[firstIndex(places, (place) => place.bytes >= bytes)] ?? ends[stream];
    },
  };
}

export function totalOf({ stdout, stderr }: Positions): number {
  return stdout.bytes + stderr.bytes;
}

/** Index of the first item of which a test is true, if it is true of all later ones; else the length. */
function firstIndex<T>(items: readonly T[], test: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (test(items[middle] as T)) high = middle;
    else low = middle + 1;
  }
  return low;
}
