import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

export interface TerminalOptions extends TerminalSize {
  /** Added to this process's environment. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

/** What a command line has left on the screen. */
export interface Called {
  /** What is between the line and the prompt. */
  readonly screen: string;
  readonly code: number;
}

/** A real terminal with a shell in it, at which a test types as a person does. */
export interface Terminal extends AsyncDisposable {
  /** Types a text, without a new line. */
  type(text: string): Promise<void>;
  /** Presses keys, in tmux's names: `Enter`, `C-c`. */
  press(...keys: readonly string[]): Promise<void>;
  /** Clears the screen, and types a line. */
  enter(line: string): Promise<void>;
  /**
   * The lines on the screen, without empty lines at the end.
   *
   * @param options `joined`: what the terminal had to break is one line. Default `false`.
   */
  lines(options?: { readonly joined?: boolean }): Promise<string[]>;
  /**
   * Waits until the screen shows something.
   *
   * @returns the whole screen. @throws Error with the screen, if that does not happen in time.
   */
  shows(what: string | RegExp): Promise<string>;
  /** Enters a line in the shell, and waits until the shell has its prompt again. */
  call(line: string): Promise<Called>;
  /** Waits until the shell has its prompt again after a line that was entered. */
  ends(line: string): Promise<Called>;
  resize(size: TerminalSize): Promise<void>;
}

/** Ends a wait for what never comes, and tells what the screen shows instead. It does not measure speed. */
const GIVE_UP_MS = 300_000;
const LOOK_AGAIN_MS = 50;

/** The shell's prompt, which tells the exit code of the command before it. */
const PROMPT = /\[(\d+)\]\$$/;

/**
 * Opens a terminal of tmux. Each has a tmux server of its own, so that nobody's own tmux is touched.
 *
 * @example
 * await using terminal = await openTerminal({ columns: 80, rows: 24 });
 * expect(await terminal.call("echo hello")).toEqual({ screen: "hello", code: 0 });
 */
export async function openTerminal({ columns, rows, env, cwd }: TerminalOptions): Promise<Terminal> {
  const directory = await mkdtemp(join(tmpdir(), "test-terminal-"));
  const settings = join(directory, "tmux.conf");
  await writeFile(settings, "set-option -g status off\n");
  const tmux = async (...args: readonly string[]): Promise<string> =>
    (
      await run("tmux", ["-S", join(directory, "socket"), "-f", settings, ...args], {
        cwd,
        // Inside of somebody's tmux, it would be the same server.
        env: { ...process.env, ...env, ENV: undefined, TMUX: undefined },
      })
    ).stdout;

  const lines: Terminal["lines"] = async ({ joined = false } = {}) => {
    const text = await tmux("capture-pane", "-p", ...(joined ? ["-J"] : []));
    return text
      .trimEnd()
      .split("\n")
      .map((line) => line.trimEnd());
  };

  async function wait<T>(what: string, look: (lines: readonly string[]) => T | undefined): Promise<T> {
    const giveUpAt = performance.now() + GIVE_UP_MS;
    for (;;) {
      const screen = await lines();
      const seen = look(screen);
      if (seen !== undefined) return seen;
      if (performance.now() > giveUpAt)
        throw new Error(`the terminal does not show ${what}. It shows:\n${screen.join("\n")}`);
      await delay(LOOK_AGAIN_MS);
    }
  }

  const promptOf = (screen: readonly string[]): string | undefined => PROMPT.exec(screen.at(-1) ?? "")?.[1];
  let width = columns;

  const terminal: Terminal = {
    type: async (text) => void (await tmux("send-keys", "-l", text)),
    press: async (...keys) => void (await tmux("send-keys", ...keys)),
    async enter(line) {
      await tmux("send-keys", "-R", ";", "clear-history", ";", "send-keys", "-l", line);
      await tmux("send-keys", "Enter");
    },
    lines,
    shows: (what) =>
      wait(String(what), (screen) => {
        const text = screen.join("\n");
        return (typeof what === "string" ? text.includes(what) : what.test(text)) ? text : undefined;
      }),
    async call(line) {
      await terminal.enter(line);
      return terminal.ends(line);
    },
    async ends(line) {
      const typedRows = Math.ceil(line.length / width);
      return wait("the prompt", (screen) => {
        const code = promptOf(screen);
        if (code === undefined) return undefined;
        const text = screen.slice(typedRows).join("\n").replace(PROMPT, "").trimEnd();
        return { screen: text, code: Number(code) };
      });
    },
    async resize(size) {
      await tmux("resize-window", "-x", String(size.columns), "-y", String(size.rows));
      width = size.columns;
    },
    async [Symbol.asyncDispose]() {
      await tmux("kill-server");
      await rm(directory, { recursive: true, force: true });
    },
  };

  const size = ["-x", String(columns), "-y", String(rows)];
  await tmux("new-session", "-d", ...size, "env", "PS1=[$?]$ ", "sh");
  try {
    await wait("the prompt", promptOf);
  } catch (reason) {
    await terminal[Symbol.asyncDispose]();
    throw reason;
  }
  return terminal;
}
