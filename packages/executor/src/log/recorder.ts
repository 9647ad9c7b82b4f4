import { createMaskers } from "../core/mask/mask.js";
import type { OutputIssue } from "../core/output/output-issue.js";
import { createOutputParser } from "../core/output/output-line.js";
import type { OutputSink } from "../io/io.js";
import type { EventQueue } from "./event-queue.js";

/** A step's output, as far as its result contains it. */
export interface Recording {
  readonly stdout: string;
  readonly stderr: string;
  /** True if a stream was longer than the part in here. */
  readonly truncated: boolean;
  readonly outputs: Readonly<Record<string, string>>;
  readonly outputIssues: readonly OutputIssue[];
}

/** Handles every chunk of output once: for the events, the parser of output lines, and the result. */
export interface Recorder {
  readonly sink: OutputSink;
  /** Ends the recording: later chunks are ignored. */
  finish(): Recording;
}

/**
 * Creates the recorder of one step.
 *
 * @param limitBytes how many bytes of each stream the result contains: the first ones.
 * @param masked secrets, which are masked before anything else sees the output.
 */
export function createRecorder(
  events: EventQueue,
  limitBytes: number,
  masked: readonly Uint8Array[] = [],
): Recorder {
  const createMasker = masked.length === 0 ? undefined : createMaskers(masked);
  const maskers = createMasker && { stdout: createMasker(), stderr: createMasker() };
  const heads = { stdout: createHead(limitBytes), stderr: createHead(limitBytes) };
  let room: Promise<void> | undefined;
  const parser = createOutputParser({
    onOutput: (key, value) => {
      room = events.push({ type: "output-value", key, value });
    },
    onIssue: (issue) => {
      room = events.push({ type: "output-issue", ...issue });
    },
  });

  let isOver = false;

  function record(stream: "stdout" | "stderr", chunk: Uint8Array): Promise<void> | undefined {
    if (isOver || chunk.byteLength === 0) return undefined;
    heads[stream].add(chunk);
    room = events.isReadable ? events.push({ type: "output", stream, data: chunk.slice() }) : undefined;
    if (stream === "stdout") parser.push(chunk);
    return room;
  }

  return {
    sink: (stream, chunk) => record(stream, maskers?.[stream].push(chunk) ?? chunk),
    finish() {
      for (const stream of ["stdout", "stderr"] as const)
        void record(stream, maskers?.[stream].end() ?? new Uint8Array(0));
      parser.end();
      isOver = true;
      return {
        stdout: heads.stdout.text(),
        stderr: heads.stderr.text(),
        truncated: heads.stdout.truncated || heads.stderr.truncated,
        outputs: { ...parser.outputs },
        outputIssues: [...parser.issues],
      };
    },
  };
}

interface Head {
  add(chunk: Uint8Array): void;
  text(): string;
  readonly truncated: boolean;
}

function createHead(limitBytes: number): Head {
  const chunks: Uint8Array[] = [];
  let size = 0;
  let truncated = false;
  return {
    add(chunk) {
      const room = limitBytes - size;
      if (chunk.byteLength > room) truncated = true;
      if (room === 0) return;
      const kept = chunk.slice(0, room);
      chunks.push(kept);
      size += kept.byteLength;
    },
    text: () => Buffer.concat(chunks).toString("utf8"),
    get truncated() {
      return truncated;
    },
  };
}
