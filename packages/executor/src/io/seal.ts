import { randomBytes } from "node:crypto";

/** Longer than any chance match, and below PIPE_BUF, so that a write of it is never split (pipe(7)). */
const SEAL_BYTES = 32;

/**
 * Bytes that nobody can know, written behind all output of a stream. If they arrive, then everything before
 * them has arrived.
 */
export function createSeal(): Uint8Array {
  return randomBytes(SEAL_BYTES);
}

/**
 * Takes the seal out of what is read, so that no reader ever sees a part of it. Several processes that follow
 * a step which belongs to none may all have written it.
 */
export interface SealFilter {
  /**
   * From now on the seal may be in what is read. Call it before the seal is written. Only bytes with which
   * the seal begins are held back.
   */
  arm(): void;
  /** Bytes are not read, and count as output. The seal must not be among them. */
  skip(bytes: number): void;
  /** Takes the next bytes. Returns those that are output: mostly one piece, or those around a seal. */
  push(chunk: Uint8Array): Uint8Array[];
  /** Ends the stream. Returns what was held back. */
  end(): Uint8Array;
  /** How many bytes came before the first seal; undefined if it was not there. */
  readonly sealAt: number | undefined;
}

export function createSealFilter(seal: Uint8Array): SealFilter {
  let armed = false;
  let sealAt: number | undefined;
  /** How many bytes were returned. */
  let passed = 0;
  let held = new Uint8Array(0);
  return {
    arm() {
      armed = true;
    },
    skip(bytes) {
      passed += held.byteLength + bytes;
      held = new Uint8Array(0);
    },
    push(chunk) {
      if (!armed) {
        passed += chunk.byteLength;
        return [chunk];
      }
      let bytes = held.byteLength === 0 ? toBuffer(chunk) : Buffer.concat([held, chunk]);
      const parts: Uint8Array[] = [];
      const pass = (part: Uint8Array): void => {
        passed += part.byteLength;
        // No Buffer: its slice() does not copy, and who copies the reader's buffer would not.
        if (part.byteLength > 0) parts.push(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
      };
      // A process outside of the container's PID namespace may still print behind it.
      for (let at = bytes.indexOf(seal); at !== -1; at = bytes.indexOf(seal)) {
        pass(bytes.subarray(0, at));
        sealAt ??= passed;
        bytes = bytes.subarray(at + seal.byteLength);
      }
      const safe = bytes.byteLength - overlap(bytes, seal);
      // A copy: the chunk may be the reader's own buffer.
      held = Uint8Array.from(bytes.subarray(safe));
      pass(bytes.subarray(0, safe));
      return parts;
    },
    end() {
      const rest = held;
      held = new Uint8Array(0);
      return rest;
    },
    get sealAt() {
      return sealAt;
    },
  };
}

/** How many bytes at the end of what was read are the beginning of the seal. */
function overlap(bytes: Buffer, seal: Uint8Array): number {
  let length = Math.min(bytes.byteLength, seal.byteLength - 1);
  while (length > 0 && !bytes.subarray(-length).equals(seal.subarray(0, length))) length--;
  return length;
}

function toBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
