import { PassThrough, type Readable } from "node:stream";
import type { StepHandle, TerminalSize } from "@wfe-containerd/executor";
import { parseDetachKeys, withoutDetachKeys } from "./detach-keys.js";
import { UsageError } from "./failure.js";

/** The flags of docker that connect a process to what this command is connected to. */
export interface StreamFlags {
  readonly interactive?: boolean;
  readonly tty?: boolean;
}

/** What a process is connected to. */
export interface Streams extends Disposable {
  readonly stdin?: Readable | undefined;
  readonly terminal?: TerminalSize | undefined;
  /** Aborted when somebody types the keys that leave the process. */
  readonly detached: AbortSignal;
  /** When the process runs, this terminal is its own: keys go to it, and it learns the size. */
  join(process: Pick<StepHandle, "started" | "resize">): void;
  /**
   * From now on keys go to the process. Call it before anything that the process prints is shown: it may ask
   * the terminal something, and the answer is typed at once. The start may be known only later.
   */
  takeKeys(): void;
}

const DEFAULT_SIZE: TerminalSize = { columns: 80, rows: 24 };

/**
 * Opens standard input and the terminal, as the flags ask. Disposed of, the terminal is as it was.
 *
 * @param detachKeys the keys that leave the process, as `--detach-keys` names them. Null: it cannot be left.
 * @throws UsageError when both flags are given and standard input is no terminal.
 */
export function openStreams(
  { interactive = false, tty = false }: StreamFlags,
  detachKeys: string | null | undefined,
): Streams {
  const { stdin, stdout } = process;
  if (interactive && tty && !stdin.isTTY)
    throw new UsageError(
      "--tty: standard input is not a terminal; allowed: -i alone for input from a pipe or a file; example: echo hello | wfe-containerd run -i alpine cat",
    );
  const hasKeys = interactive && tty;
  const detached = new AbortController();
  const keys = detachKeys === null ? undefined : parseDetachKeys(detachKeys);
  const passedOn =
    hasKeys && keys !== undefined ? withoutDetachKeys(keys, () => detached.abort()) : new PassThrough();
  const input = interactive ? stdin.pipe(passedOn) : undefined;
  let resize = (): void => undefined;
  // In raw mode Ctrl-C is a key for the process, and no signal for this command.
  const takeKeys = (): void => {
    if (hasKeys && !stdin.destroyed && !stdin.isRaw) stdin.setRawMode(true);
  };
  return {
    takeKeys,
    stdin: input,
    terminal: tty ? sizeOf(stdout) : undefined,
    detached: detached.signal,
    join({ started, resize: resizeTerminal }) {
      if (!tty) return;
      resize = () => void resizeTerminal(sizeOf(stdout)).catch(() => undefined);
      void started.then(
        () => {
          takeKeys();
          stdout.on("resize", resize);
          // It may have changed meanwhile.
          resize();
        },
        () => undefined,
      );
    },
    [Symbol.dispose]() {
      stdout.off("resize", resize);
      if (!interactive) return;
      if (hasKeys && !stdin.destroyed) stdin.setRawMode(false);
      if (input !== undefined) stdin.unpipe(input);
      // A terminal that is waited for would keep this command from ending.
      stdin.destroy();
    },
  };
}

function sizeOf({ columns, rows }: NodeJS.WriteStream): TerminalSize {
  return columns > 0 && rows > 0 ? { columns, rows } : DEFAULT_SIZE;
}
