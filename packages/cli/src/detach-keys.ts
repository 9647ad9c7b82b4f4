import { Transform } from "node:stream";
import { UsageError } from "./failure.js";

/** As in docker. */
const DEFAULT_KEYS = "ctrl-p,ctrl-q";
/** Ctrl with one of these gives the byte of the same place. Source: ASCII. */
const CONTROL = "@abcdefghijklmnopqrstuvwxyz[\\]^_";

/**
 * Reads docker's `--detach-keys`: keys with commas between them, each a character or `ctrl-` and a character.
 *
 * @returns the bytes that a terminal sends for them.
 * @throws UsageError
 */
export function parseDetachKeys(text: string | undefined): Buffer {
  const keys = (text === undefined || text === "" ? DEFAULT_KEYS : text).split(",");
  return Buffer.from(
    keys.map((key) => {
      const control = /^ctrl-(.)$/.exec(key)?.[1];
      const code = control === undefined ? key.charCodeAt(0) : CONTROL.indexOf(control);
      const isKey = control === undefined ? /^[\x21-\x7e]$/.test(key) : code >= 0;
      if (isKey) return code;
      throw new UsageError(
        `--detach-keys: ${JSON.stringify(key)} is no key; allowed: characters, and ctrl- with a letter or one of @[\\]^_, with commas between them; example: ctrl-x,q`,
      );
    }),
  );
}

/**
 * Passes on what is typed, but for the keys. Those of them that may be the beginning of all are held back
 * until the next key tells.
 *
 * @param onDetach called when all were typed, one after the other. Nothing is passed on after it.
 */
export function withoutDetachKeys(keys: Uint8Array, onDetach: () => void): Transform {
  let held = 0;
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      const passed: number[] = [];
      if (held === keys.length) {
        done();
        return;
      }
      for (const byte of chunk) {
        if (held === keys.length) break;
        if (byte === keys[held]) {
          held++;
          continue;
        }
        passed.push(...keys.subarray(0, held));
        held = byte === keys[0] ? 1 : 0;
        if (held === 0) passed.push(byte);
      }
      done(null, Buffer.from(passed));
      if (held === keys.length) onDetach();
    },
    flush(done) {
      done(null, held === keys.length ? undefined : Buffer.from(keys.subarray(0, held)));
    },
  });
}
