import { rm, stat, truncate, writeFile } from "node:fs/promises";

/** The largest block that file systems usually have. */
const PIECE_BYTES = 8 * 1024;
const PIECES = 2;

/** Space on a disk that is kept, to be given free in pieces when the disk is full. */
export interface Ballast {
  drop(): Promise<void>;
}

/** @throws Error if the disk is full. */
export async function createBallast(path: string): Promise<Ballast> {
  // Zeros alone would not do on a file system that does not store them.
  await writeFile(path, new Uint8Array(PIECES * PIECE_BYTES).fill(1), { flag: "wx", mode: 0o600 });
  return ballastOf(path, PIECES);
}

/** What another process has left of it. */
export async function reopenBallast(path: string): Promise<Ballast> {
  const size = await stat(path).then(
    (status) => status.size,
    () => 0,
  );
  return ballastOf(path, Math.ceil(size / PIECE_BYTES));
}

function ballastOf(path: string, pieces: number): Ballast {
  let left = pieces;
  return {
    async drop() {
      if (left > 0) left--;
      await (left === 0 ? rm(path, { force: true }) : truncate(path, left * PIECE_BYTES));
    },
  };
}
