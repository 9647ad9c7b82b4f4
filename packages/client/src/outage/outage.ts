import { setTimeout as delay } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { OUTAGE } from "../diagnostics/channels.js";
import { ContainerdError } from "../error.js";
import { checkOptions, type OptionNames } from "../options.js";
import { refuse } from "../refuse.js";
import type { DaemonOutage, DaemonQuestion } from "./daemon-outage.js";
import { judgeFailure, markFinal } from "./failure.js";
import { createWatch } from "./watched-call.js";

/** Options of {@link createOutage}. */
export interface OutageOptions {
  /**
   * How long calls wait for a daemon that is away, in milliseconds. It counts from the first call that
   * failed, for all calls together.
   *
   * @default 60_000
   */
  readonly timeoutMs?: number | undefined;
  /** Aborting it ends the waiting: calls that find the daemon away then fail at once. */
  readonly signal?: AbortSignal | undefined;
  /** Called when the daemon is first found away, with the reason. */
  readonly onAway?: ((reason: ContainerdError) => void) | undefined;
  /** Called when the daemon answers again, with the time that it was away, in milliseconds. */
  readonly onBack?: ((awayMs: number) => void) | undefined;
}

/** Waits for one daemon while it is away. Give it to `client.with({ outage })`. */
export interface Outage {
  /** Whether the daemon is away, as far as a call has noticed. */
  readonly isAway: boolean;
}

/** What clients use of each outage. */
const ofDaemon = new WeakMap<Outage, (question: DaemonQuestion) => DaemonOutage>();

/**
 * The outage as the calls of one client see it.
 *
 * @throws ContainerdError `invalid-argument` if it was not made by {@link createOutage}.
 */
export function outageOfDaemon(outage: Outage, question: DaemonQuestion): DaemonOutage {
  const bind = ofDaemon.get(outage);
  if (bind === undefined) refuse("outage: is not an outage", "what createOutage returns");
  return bind(question);
}

const OPTIONS: OptionNames<OutageOptions> = { timeoutMs: true, signal: true, onAway: true, onBack: true };
const DEFAULT_TIMEOUT_MS = 60_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;
/** A daemon that is not away answers sooner, even on a busy machine. */
const ANSWER_MS = 5_000;

interface Period {
  readonly since: number;
  readonly reason: ConnectError;
  /** Past the deadline. Calls fail at once, until the daemon answers. */
  isOver: boolean;
  readonly back: PromiseWithReject;
  release(): void;
}

interface PromiseWithReject {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(reason: unknown): void;
}

/**
 * Makes the calls of a client wait for a daemon that is gone, cut off or does not answer. All clients that
 * have this outage share its deadline; they must be clients of one daemon.
 *
 * An outage begins at the first call that finds the daemon away. Then the daemon is asked for its version
 * until it answers.
 *
 * @example
 * ```
 * const outage = createOutage({ timeoutMs: 30_000, onAway: ({ message }) => console.error(message) });
 * const patient = client.with({ outage });
 * await patient.containers.create({ id: "web-1", spec }); // waits for a daemon that restarts
 * ```
 */
export function createOutage(options: OutageOptions = {}): Outage {
  checkOptions("createOutage", options, OPTIONS);
  const { timeoutMs = DEFAULT_TIMEOUT_MS, signal, onAway, onBack } = options;
  const answerMs = Math.min(ANSWER_MS, timeoutMs);
  let current: Period | undefined;
  let backAt = Number.NEGATIVE_INFINITY;
  /** How to fail each attempt that is in flight. */
  const attempts = new Set<(reason: unknown) => void>();
  let keepAlive: NodeJS.Timeout | undefined;

  function begin(reason: ConnectError, since: number, question: DaemonQuestion): void {
    if (current !== undefined) return;
    const giveUp = (): void => expire(period);
    const timer = setTimeout(giveUp, Math.max(since + timeoutMs - performance.now(), 0)).unref();
    signal?.addEventListener("abort", giveUp, { once: true });
    const period: Period = {
      since,
      reason,
      isOver: signal?.aborted === true,
      back: createPromise(),
      release() {
        clearTimeout(timer);
        signal?.removeEventListener("abort", giveUp);
      },
    };
    current = period;
    const diagnostic = OUTAGE.hasSubscribers
      ? OUTAGE.start({ address: question.address, reason: reason.rawMessage })
      : undefined;
    onAway?.(ContainerdError.from(reason));
    void askUntilBack(period, question).then(
      () => diagnostic?.end(),
      (closed: unknown) => diagnostic?.end({ reason: closed }),
    );
  }

  async function askUntilBack(period: Period, { ask }: DaemonQuestion): Promise<void> {
    try {
      for (let pauseMs = FIRST_PAUSE_MS; !(await ask(answerMs)); ) {
        await delay(pauseMs, undefined, { ref: false });
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      }
      end(period);
      backAt = performance.now();
      onBack?.(backAt - period.since);
      period.back.resolve();
    } catch (reason) {
      // The client was closed.
      end(period);
      period.back.reject(reason);
      throw reason;
    }
  }

  function end(period: Period): void {
    period.release();
    current = undefined;
  }

  function expire(period: Period): void {
    period.isOver = true;
    period.release();
    for (const fail of attempts) fail(tooLong(period));
  }

  async function untilBack(callSignal: AbortSignal | undefined): Promise<void> {
    for (let period = current; period !== undefined; period = current) {
      if (period.isOver) throw tooLong(period);
      const done = new AbortController();
      const signals = [done.signal, callSignal, signal].filter((each) => each !== undefined);
      // It also keeps the process running, as long as somebody waits.
      const leftMs = Math.max(period.since + timeoutMs - performance.now(), 0);
      const limit = delay(leftMs, "late", { signal: AbortSignal.any(signals) }).catch(() => undefined);
      try {
        if ((await Promise.race([period.back.promise, limit])) === "late") period.isOver = true;
      } finally {
        done.abort();
      }
      if (callSignal?.aborted === true) throw ConnectError.from(callSignal.reason, Code.Canceled);
    }
  }

  /** While a call waits for its answer, asks whether the daemon hangs. The connection is kept. */
  async function checkDaemon(question: DaemonQuestion): Promise<void> {
    const askedAt = performance.now();
    if (current !== undefined || (await question.ask(Math.min(question.keepAliveMs, 2 * ANSWER_MS)))) return;
    if (attempts.size === 0) return;
    const silent = new ConnectError("the daemon does not answer: does it hang?", Code.Unavailable);
    begin(silent, askedAt, question);
  }

  /** Runs one attempt of a call. It fails if the outage's deadline passes first. */
  async function attempt<T>(question: DaemonQuestion, make: () => Promise<T>): Promise<T> {
    let leave = (): void => undefined;
    const over = new Promise<never>((_, reject) => {
      attempts.add(reject);
      leave = () => void attempts.delete(reject);
    });
    if (attempts.size === 1 && question.keepAliveMs > 0) {
      keepAlive = setInterval(
        () => void checkDaemon(question).catch(() => undefined),
        question.keepAliveMs,
      ).unref();
    }
    try {
      return await Promise.race([make(), over]);
    } finally {
      leave();
      if (attempts.size === 0) clearInterval(keepAlive);
    }
  }

  async function isCut(reason: unknown, startedAt: number, { ask }: DaemonQuestion): Promise<boolean> {
    const verdict = judgeFailure(reason);
    if (verdict !== "perhaps-away") return verdict === "away";
    // The daemon was away during this attempt, as another call has noticed.
    if (current !== undefined || backAt >= startedAt) return true;
    return !(await ask(answerMs));
  }

  const outage: Outage = {
    get isAway() {
      return current !== undefined;
    },
  };
  ofDaemon.set(outage, (question) => ({
    watch: (what, callSignal) =>
      createWatch(what, callSignal, {
        begin: (reason, since) => begin(reason, since, question),
        untilBack: () => untilBack(callSignal),
        attempt: (make) => attempt(question, make),
        isCut: (reason, startedAt) => isCut(reason, startedAt, question),
      }),
  }));
  return outage;
}

function tooLong({ reason, since }: Period): ConnectError {
  const seconds = ((performance.now() - since) / 1000).toFixed(1);
  const text = `the daemon has been away for ${seconds} s: ${reason.rawMessage}`;
  return markFinal(new ConnectError(text, Code.Unavailable, reason.metadata, undefined, reason));
}

function createPromise(): PromiseWithReject {
  const made = {} as { -readonly [Key in keyof PromiseWithReject]: PromiseWithReject[Key] };
  made.promise = new Promise((resolve, reject) => {
    made.resolve = resolve;
    made.reject = reject;
  });
  // Nobody may be waiting.
  made.promise.catch(() => undefined);
  return made;
}
