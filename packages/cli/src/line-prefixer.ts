const NEWLINE = 0x0a;

/** Puts a text before each line of an output that comes in pieces. */
export interface LinePrefixer {
  /** @returns what can be printed by now. An unfinished line is begun, so that a prompt is seen at once. */
  add(chunk: Uint8Array): Uint8Array;
  /** Ends the last line if the output did not, so that the next output begins at the start of a line. */
  end(): Uint8Array | undefined;
}

export interface LinePrefixerOptions {
  /**
   * Whether lines are printed only as a whole, so that those of several outputs do not get into each other.
   * One of more than 64 KiB is cut into several.
   *
   * @default false
   */
  readonly wholeLines?: boolean | undefined;
}

/** How much of an unfinished line is kept. */
const MAX_LINE_BYTES = 64 * 1024;

/**
 * @example
 * const lines = createLinePrefixer("test | ");
 * lines.add(Buffer.from("a\nb")); // "test | a\ntest | b"
 */
export function createLinePrefixer(
  text: string,
  { wholeLines = false }: LinePrefixerOptions = {},
): LinePrefixer {
  const prefix = Buffer.from(text);
  const lines = prefixEachLine(prefix);
  if (!wholeLines) return lines;
  let unfinished = Buffer.alloc(0);
  return {
    add(chunk) {
      const known = Buffer.concat([unfinished, chunk]);
      const end = known.lastIndexOf(NEWLINE) + 1;
      const isTooLong = known.length - end >= MAX_LINE_BYTES;
      unfinished = isTooLong ? Buffer.alloc(0) : Buffer.from(known.subarray(end));
      if (!isTooLong) return lines.add(known.subarray(0, end));
      return Buffer.concat([lines.add(known), lines.end() ?? Buffer.alloc(0)]);
    },
    end() {
      if (unfinished.length === 0) return undefined;
      const rest = lines.add(unfinished);
      unfinished = Buffer.alloc(0);
      return Buffer.concat([rest, lines.end() ?? Buffer.alloc(0)]);
    },
  };
}

function prefixEachLine(prefix: Uint8Array): LinePrefixer {
  let isInLine = false;
  return {
    add(chunk) {
      const parts: Uint8Array[] = [];
      for (let at = 0; at < chunk.length; ) {
        const newline = chunk.indexOf(NEWLINE, at);
        const end = newline === -1 ? chunk.length : newline + 1;
        if (!isInLine) parts.push(prefix);
        parts.push(chunk.subarray(at, end));
        isInLine = newline === -1;
        at = end;
      }
      return Buffer.concat(parts);
    },
    end() {
      if (!isInLine) return undefined;
      isInLine = false;
      return Buffer.of(NEWLINE);
    },
  };
}
