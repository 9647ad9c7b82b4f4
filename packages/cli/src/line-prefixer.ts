const NEWLINE = 0x0a;

/** Puts a text before each line of an output that comes in pieces. */
export interface LinePrefixer {
  /** @returns what can be printed by now. An unfinished line is begun, so that a prompt is seen at once. */
  add(chunk: Uint8Array): Uint8Array;
  /** Ends the last line if the output did not, so that the next output begins at the start of a line. */
  end(): Uint8Array | undefined;
}

/**
 * @example
 * const lines = createLinePrefixer("test | ");
 * lines.add(Buffer.from("a\nb")); // "test | a\ntest | b"
 */
export function createLinePrefixer(text: string): LinePrefixer {
  const prefix = Buffer.from(text);
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
      return isInLine ? Buffer.of(NEWLINE) : undefined;
    },
  };
}
