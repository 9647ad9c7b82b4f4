import { createDeferred, type Deferred } from "@wfe-containerd/client/internal";
import type { LogGap } from "../core/output/step-log.js";
import { OUTPUT_STREAMS, type OutputStream } from "../io/io.js";
import { createJournal, type Positions, START, totalOf } from "./journal.js";
import type { LogReader } from "./log-entry.js";
import type { LogLimit } from "./log-limit.js";
import { toLines } from "./log-lines.js";
import type { LogSource, LogState } from "./log-state.js";
import { readLog } from "./read-log.js";

/** After this many bytes more than needed, space is freed again; less for a small limit. */
const SLACK_BYTES = 16 * 1024 * 1024;

/** A step's output: appended once, and read by any number of readers. */
export interface Log extends LogReader {
  /** Where its output is stored. Before that, readers wait. */
  open(source: LogSource): void;
  /**
   * Adds what was read from the step.
   *
   * @param rawBytes how much was read.
   * @param bytes how much of it is left after masking, and will not change any more.
   * @param isClean whether no secret goes on behind it.
   * @returns how many of these bytes are kept: the first ones.
   */
  append(stream: OutputStream, rawBytes: number, bytes: number, isClean: boolean): number;
  /** Bytes that were not read follow: nothing before them is kept, or nothing behind the limit. */
  skip(stream: OutputStream, bytes: number): void;
  /** Whether only what came first is kept, and that is complete. */
  readonly isCut: boolean;
  /**
   * With the policy `drop-oldest`: frees what is above the limit.
   *
   * @param unreadBytes how much is stored behind what was added.
   */
  dropOldest(unreadBytes: number): void;
  /** Nothing will be added any more. */
  end(): void;
  /** What is not kept because of the limit. */
  gaps(): LogGap[];
  storedBytes(): Promise<number>;
  /** Ends all reading, and frees the space. */
  close(): Promise<void>;
}

export function createLog(): Log {
  const journal = createJournal();
  const cutBytes = { stdout: 0, stderr: 0 };
  let source: LogSource | undefined;
  let base: Positions = { stdout: START, stderr: START };
  /** Set when the limit is reached, with the policy `truncate`: what is behind it is not kept. */
  let cut: Positions | undefined;
  /** How far space was freed. */
  let freed: Record<OutputStream, number> = { stdout: 0, stderr: 0 };
  let ended = false;
  let closed = false;
  let change: Deferred<void> | undefined;

  function wake(): void {
    change?.resolve(undefined);
    change = undefined;
  }

  const state: LogState = {
    journal,
    get source() {
      return source;
    },
    get base() {
      return base;
    },
    get cut() {
      return cut;
    },
    cutBytes,
    get isOver() {
      return ended;
    },
    get isClosed() {
      return closed;
    },
    changed() {
      change ??= createDeferred<void>();
      return change.promise;
    },
  };

  const slack = ({ maxBytes }: LogLimit): number => Math.min(SLACK_BYTES, Math.ceil(maxBytes / 4));

  /** Frees what will not be read again, a piece at a time. */
  function release(stream: OutputStream, to: number, { store, limit }: LogSource): void {
    const from = freed[stream];
    if (to - from < slack(limit)) return;
    freed = { ...freed, [stream]: to };
    void store.free(stream, from, to).catch(() => undefined);
  }

  function dropOldest(from: LogSource, unreadBytes: number): void {
    const mostBytes = Math.max(0, from.limit.maxBytes - unreadBytes);
    const bytes = totalOf(journal.ends);
    if (bytes - totalOf(base) <= mostBytes) return;
    const places = journal.at(Math.min(bytes, bytes - mostBytes + slack(from.limit)));
    for (const stream of OUTPUT_STREAMS) {
      const place = places[stream];
      const to =
        from.createMasker === undefined ? { raw: place, bytes: place } : journal.seekForward(stream, place);
      if (to.raw <= base[stream].raw) continue;
      base = { ...base, [stream]: to };
      release(stream, to.raw, from);
    }
  }

  function truncate(stream: OutputStream, bytes: number, of: LogSource): void {
    const { ends } = journal;
    const over = totalOf(ends) - of.limit.maxBytes;
    if (over <= 0) return;
    const { raw, bytes: end } = ends[stream];
    cut = { ...ends, [stream]: { raw, bytes: end - Math.min(over, bytes) } };
    cutBytes[stream] += over;
    freed = { stdout: ends.stdout.raw, stderr: ends.stderr.raw };
  }

  return {
    open(opened) {
      source = opened;
    },
    append(stream, rawBytes, bytes, isClean) {
      if (source === undefined || closed) return bytes;
      const { raw, bytes: before } = journal.ends[stream];
      const end = { raw: raw + rawBytes, bytes: before + bytes };
      if (cut !== undefined) {
        cutBytes[stream] += bytes;
        journal.pass(stream, end);
        release(stream, end.raw, source);
        return 0;
      }
      journal.add(stream, end, Date.now(), isClean);
      if (source.limit.policy === "truncate") truncate(stream, bytes, source);
      if (source.store.begin !== undefined) {
        const at = source.store.begin(stream);
        base = { ...base, [stream]: { raw: at, bytes: at } };
      } else if (source.limit.policy === "drop-oldest") dropOldest(source, 0);
      wake();
      return bytes - cutBytes[stream];
    },
    skip(stream, bytes) {
      const { raw, bytes: before } = journal.ends[stream];
      const end = { raw: raw + bytes, bytes: before + bytes };
      if (cut === undefined) {
        journal.add(stream, end, Date.now(), true);
        base = { ...base, [stream]: end };
      } else {
        journal.pass(stream, end);
        cutBytes[stream] += bytes;
      }
      if (source !== undefined) release(stream, end.raw, source);
      wake();
    },
    get isCut() {
      return cut !== undefined;
    },
    dropOldest(unreadBytes) {
      if (source?.limit.policy === "drop-oldest" && source.store.begin === undefined)
        dropOldest(source, unreadBytes);
    },
    end() {
      ended = true;
      wake();
    },
    gaps: () =>
      OUTPUT_STREAMS.flatMap((stream): LogGap[] => {
        // Memory keeps little in any case. That is no limit which was set.
        const dropped = source?.store.begin === undefined ? base[stream].bytes : 0;
        const reason = "log-limit";
        return [
          ...(dropped > 0 ? [{ stream, offset: 0, bytes: dropped, reason } as const] : []),
          ...(cut !== undefined && cutBytes[stream] > 0
            ? [{ stream, offset: cut[stream].bytes, bytes: cutBytes[stream], reason } as const]
            : []),
        ];
      }),
    storedBytes: async () => (closed ? 0 : ((await source?.store.storedBytes()) ?? 0)),
    async close() {
      closed = true;
      ended = true;
      wake();
      await source?.store.close();
    },
    read: (options) => readLog(state, options),
    lines: ({ maxLineBytes, ...options } = {}) => toLines(readLog(state, options), maxLineBytes),
  };
}
