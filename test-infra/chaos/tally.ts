import type { Strike } from "./fault/fault.js";
import type { Marks } from "./marks.js";
import { hashOf, type NumberedStep } from "./numbered-step.js";
import type { Outcome } from "./outcome.js";
import type { WorkerLine } from "./worker.js";

/** What was wrong, by step. */
export interface SoakFaults {
  /** Results with another exit code, or another cause, than the step's own and than a fault explains. */
  readonly wrongCodes: string[];
  /** Errors that no fault explains. */
  readonly errors: string[];
  /** Output that is missing, though the result says that it is complete, or though no fault explains it. */
  readonly lostBytes: string[];
  readonly doubledBytes: string[];
  /** Logs of a right length with other bytes. */
  readonly otherBytes: string[];
  readonly ranTwice: string[];
  /** Steps that have a result, and never ran. */
  readonly neverRan: string[];
  /** Steps that ran, and whose error says that they could not be run. */
  readonly ranAnyway: string[];
}

/** Compares what workers tell with what their steps are known to do. */
export interface Tally {
  readonly faults: SoakFaults;
  /** How many steps have a result. */
  readonly done: number;
  /** How often a fault made something else of a step than its result: `a shim is killed: runtime-lost`. */
  readonly explained: Readonly<Record<string, number>>;
  readonly recovered: number;
  readonly connected: number;
  isDone(name: string): boolean;
  /** A step was sent to a worker. */
  send(name: string): void;
  take(line: WorkerLine): void;
  /** This step is not run again, and has no result. */
  giveUp(name: string): void;
  /**
   * Judges all that was told since the last time.
   *
   * @param takeMarks takes what a step has left.
   */
  judge(strikes: readonly Strike[], takeMarks: (name: string) => Promise<Marks>): Promise<void>;
}

export function createTally(numbered: readonly NumberedStep[]): Tally {
  const steps = new Map(numbered.map((step) => [step.name, step]));
  const faults: SoakFaults = {
    wrongCodes: [],
    errors: [],
    lostBytes: [],
    doubledBytes: [],
    otherBytes: [],
    ranTwice: [],
    neverRan: [],
    ranAnyway: [],
  };
  const done = new Set<string>();
  const sentAtMs = new Map<string, number>();
  let told: Omit<Outcome, "marks">[] = [];
  const explained: Record<string, number> = {};
  let recovered = 0;
  let connected = 0;

  function add(line: Extract<WorkerLine, { readonly type: "result" | "error" }>): void {
    const { name, id } = line;
    const times = { sentAtMs: sentAtMs.get(name) ?? 0, toldAtMs: Date.now() };
    done.add(name);
    if (line.type === "error")
      told.push({
        ...times,
        name,
        id,
        cause: line.kind ?? "none",
        exitCode: null,
        error: line.message,
        isComplete: undefined,
        stderr: "",
        log: undefined,
      });
    else told.push({ ...times, ...line, error: undefined, log: undefined });
  }

  function judgeOne(outcome: Outcome, step: NumberedStep, strikes: readonly Strike[]): void {
    const { name, id, cause, exitCode, error, stderr, marks } = outcome;
    const around = strikes.filter(
      ({ fromMs, untilMs, ids }) =>
        fromMs <= outcome.toldAtMs && outcome.sentAtMs <= untilMs && ids?.has(id) !== false,
    );
    const struck = [...new Set(around.map(({ fault }) => fault.name))].join(", ");
    const printed = stderr === "" ? "" : `, ${JSON.stringify(stderr)}`;
    const end = error === undefined ? `${exitCode} (${cause}${printed})` : `${cause}: ${error}`;
    const text = `${name} (${id}): ${end}; meanwhile: ${struck}`;
    const isOwn = error === undefined && cause === "exit" && exitCode === step.exitCode;
    const isWhole = outcome.log === undefined || outcome.log.bytes >= step.stdout.byteLength;
    const reason = around.find((strike) => strike.fault.explains(outcome, strike, around));
    const isExplained = reason !== undefined;
    if (isExplained && !(isOwn && isWhole)) {
      const what = `${reason.fault.name}: ${cause}`;
      explained[what] = (explained[what] ?? 0) + 1;
    }
    // A code that a result gives as the step's own is the step's own, whatever has happened.
    const isWrong = cause === "exit" || cause === "signal" ? exitCode !== step.exitCode : !isExplained;
    if (error !== undefined && !isExplained) faults.errors.push(text);
    else if (error === undefined && !isOwn && isWrong) faults.wrongCodes.push(text);
    if (error !== undefined && marks.runs > 0) faults.ranAnyway.push(text);
    if (isOwn && marks.runs === 0) faults.neverRan.push(text);
    judgeLog(outcome, step, isExplained);
  }

  /** A log that is not whole is the beginning of the step's own. */
  function judgeLog(
    { name, log, isComplete, marks }: Outcome,
    step: NumberedStep,
    isExplained: boolean,
  ): void {
    if (log === undefined) return;
    const text = `${name}: ${log.bytes} of ${step.stdout.byteLength} bytes, complete: ${isComplete}`;
    const isSaidWhole = isComplete === true && marks.endedAtMs !== undefined;
    if (log.bytes > step.stdout.byteLength) faults.doubledBytes.push(text);
    else if (log.sha256 !== hashOf(step, log.bytes)) faults.otherBytes.push(text);
    else if (log.bytes < step.stdout.byteLength && (isSaidWhole || !isExplained)) faults.lostBytes.push(text);
  }

  return {
    faults,
    explained,
    get done() {
      return done.size;
    },
    get recovered() {
      return recovered;
    },
    get connected() {
      return connected;
    },
    isDone: (name) => done.has(name),
    send(name) {
      if (!sentAtMs.has(name)) sentAtMs.set(name, Date.now());
    },
    giveUp: (name) => void done.add(name),
    take(line) {
      switch (line.type) {
        case "result":
        case "error":
          add(line);
          break;
        case "log": {
          const at = told.findLastIndex(({ name }) => name === line.name);
          if (at >= 0) told[at] = { ...(told[at] as Outcome), log: line };
          break;
        }
        case "recovered":
          recovered++;
          break;
        case "connected":
          connected++;
      }
    },
    async judge(strikes, takeMarks) {
      const judged = told;
      told = [];
      const marks = new Map<string, Marks>();
      for (const outcome of judged) {
        const { name } = outcome;
        const of = marks.get(name) ?? (await takeMarks(name));
        if (!marks.has(name) && of.runs > 1) faults.ranTwice.push(name);
        marks.set(name, of);
        judgeOne({ ...outcome, marks: of }, steps.get(name) as NumberedStep, strikes);
      }
    },
  };
}
