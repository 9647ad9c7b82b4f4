import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { constants } from "node:os";

/** Signals that end a program unless it handles them. SIGPIPE is one as well, but needs the care of `onPipe`. */
const ENDING = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGALRM", "SIGVTALRM", "SIGXCPU"] as const;

/** A write to a closed socket raises SIGPIPE, and the socket's `close` event comes at about the same time. */
const PIPE_WINDOW_MS = 250;

/** What asks the command to end while steps run. */
export interface StopSignals extends Disposable {
  /** The first signal that came. */
  readonly received: NodeJS.Signals | undefined;
  /** Aborted by the first signal. */
  readonly stop: AbortSignal;
  /** Aborted by the second one. */
  readonly kill: AbortSignal;
}

/** Catches the signals that would end the command and leave its container running, until disposed. */
export function catchStopSignals(): StopSignals {
  const stop = new AbortController();
  const kill = new AbortController();
  let received: NodeJS.Signals | undefined;
  let closedAt = Number.NEGATIVE_INFINITY;

  function onSignal(signal: NodeJS.Signals): void {
    if (received !== undefined) {
      kill.abort();
      return;
    }
    received = signal;
    // SIGPIPE may mean that nobody reads standard error either.
    if (signal !== "SIGPIPE") console.error("wfe-containerd: stopping the step; a second signal kills it");
    stop.abort();
  }

  /** Without a handler Node ignores SIGPIPE. A daemon that restarts raises it too, and must not stop the step. */
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
  for (const signal of ENDING) process.on(signal, onSignal);
  process.on("SIGPIPE", onPipe);
  return {
    get received() {
      return received;
    },
    stop: stop.signal,
    kill: kill.signal,
    [Symbol.dispose]() {
      unsubscribe("net.client.socket", onSocket);
      for (const signal of ENDING) process.off(signal, onSignal);
      process.off("SIGPIPE", onPipe);
    },
  };
}

/** Node opens a debugger on SIGUSR1 unless it has a listener. SIGUSR2 would end the command without cleaning up. */
export function ignoreUserSignals(): void {
  process.on("SIGUSR1", ignore).on("SIGUSR2", ignore);
}

/** The exit code of a program that a signal ended, as a shell shows it. */
export function codeOfSignal(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

function ignore(): void {}
