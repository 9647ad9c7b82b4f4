/** A one-shot timer. `fired` never rejects; a cancelled timer never fires. */
export interface Timer {
  readonly fired: Promise<void>;
  cancel(): void;
}

/** The limit of setTimeout: a longer delay would fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** Starts a timer on the monotonic clock: a change of the wall clock does not move it. */
export function startTimer(delayMs: number): Timer {
  let handle: NodeJS.Timeout | undefined;
  const fired = new Promise<void>((resolve) => {
    function wait(leftMs: number): void {
      const turnMs = Math.min(leftMs, LONGEST_MS);
      handle = setTimeout(() => (leftMs > turnMs ? wait(leftMs - turnMs) : resolve()), turnMs);
    }
    wait(delayMs);
  });
  return { fired, cancel: () => clearTimeout(handle) };
}

/** Starts a timer as soon as the signal is aborted. */
export function startTimerAfter(signal: AbortSignal, delayMs: number): Timer {
  let timer: Timer | undefined;
  let start = (): void => undefined;
  const fired = new Promise<void>((resolve) => {
    start = () => {
      timer = startTimer(delayMs);
      void timer.fired.then(resolve);
    };
    if (signal.aborted) start();
    else signal.addEventListener("abort", start, { once: true });
  });
  return {
    fired,
    cancel() {
      signal.removeEventListener("abort", start);
      timer?.cancel();
    },
  };
}

/** Waits until the time has passed or the signal is aborted. */
export async function waitUnlessAborted(delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const timer = startTimer(delayMs);
  let onAbort = (): void => undefined;
  const aborted = new Promise<void>((resolve) => {
    onAbort = resolve;
  });
  signal.addEventListener("abort", onAbort, { once: true });
  await Promise.race([timer.fired, aborted]);
  timer.cancel();
  signal.removeEventListener("abort", onAbort);
}
