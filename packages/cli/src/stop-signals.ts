import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { constants } from "node:os";

/** Signals that end a program unless it handles them. SIGPIPE is another; `onPipe` handles it. */
const TERMINATING = [
  "SIGINT",
  "SIGTERM",
  "SIGHUP",
  "SIGQUIT",
  "SIGALRM",
  "SIGVTALRM",
  "SIGXCPU",
  "SIGPWR",
  "SIGIO",
  "SIGSTKFLT",
] as const;

/** A write to a closed socket raises SIGPIPE, and the socket's `close` event comes at about the same time. */
const PIPE_WINDOW_MS = 250;

/**
 * The same signal within this time counts once: timeout(1) and npm send a signal to the command and to its
 * process group.
 */
const REPEAT_MS = 250;

/** What asks the command to end while steps run. */
export interface StopSignals extends Disposable {
  /** The first signal that was received. */
  readonly received: NodeJS.Signals | undefined;
  /** Aborted by the first signal. */
  readonly stop: AbortSignal;
  /** Aborted by the second signal. */
  readonly kill: AbortSignal;
}

/**
 * Until disposed, catches the signals that would end the command and leave its container running.
 *
 * @param options `stopping`: what the first signal stops, to tell what a second one does. Null: tell nothing.
 * Default: the step.
 */
export function catchStopSignals({
  stopping = "the step",
}: {
  readonly stopping?: string | null;
} = {}): StopSignals {
  const stop = new AbortController();
  const kill = new AbortController();
  let received: NodeJS.Signals | undefined;
  let receivedAt = 0;
  let closedAt = Number.NEGATIVE_INFINITY;

  function onSignal(signal: NodeJS.Signals): void {
    if (received !== undefined) {
      const isRepeated = signal === received && performance.now() - receivedAt < REPEAT_MS;
      if (!isRepeated) kill.abort();
      return;
    }
    received = signal;
    receivedAt = performance.now();
    // After SIGPIPE standard error may have no reader either.
    if (signal !== "SIGPIPE" && stopping !== null) {
      // The terminal has shown ^C in a line of its own.
      const lead = signal === "SIGINT" && process.stderr.isTTY ? "\n" : "";
      console.error(`${lead}wfe-containerd: stopping ${stopping}; a second signal kills it`);
    }
    stop.abort();
  }

  /**
   * Without a handler, Node ignores SIGPIPE. A restart of the daemon also raises it, and must not stop the
   * step. So SIGPIPE counts only when no socket closed at about the same time.
   */
  function onPipe(signal: NodeJS.Signals): void {
    const at = performance.now();
    const decide = (): void => {
      if (closedAt < at - PIPE_WINDOW_MS) onSignal(signal);
    };
    setTimeout(decide, PIPE_WINDOW_MS).unref();
  }

  function onSocket(message: unknown): void {
    (message as { socket: Socket }).socket.once("close", () => {
      closedAt = performance.now();
    });
  }

  subscribe("net.client.socket", onSocket);
  for (const signal of TERMINATING) process.on(signal, onSignal);
  process.on("SIGPIPE", onPipe);
  return {
    get received() {
      return received;
    },
    stop: stop.signal,
    kill: kill.signal,
    [Symbol.dispose]() {
      unsubscribe("net.client.socket", onSocket);
      for (const signal of TERMINATING) process.off(signal, onSignal);
      process.off("SIGPIPE", onPipe);
    },
  };
}

/**
 * Ignores SIGUSR1 and SIGUSR2. Without a listener, Node opens a debugger on SIGUSR1. SIGUSR2 would end the
 * command without cleaning up.
 */
export function ignoreUserSignals(): void {
  process.on("SIGUSR1", ignore).on("SIGUSR2", ignore);
}

/** Returns the exit code that a shell shows for a program that a signal ended. */
export function codeOfSignal(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

function ignore(): void {}
