import type { NumberedStep } from "./numbered-step.js";
import type { WorkerLine } from "./worker.js";

/** What was wrong, by step. */
export interface SoakFaults {
  /** Results with another exit code than the step's. */
  readonly wrongCodes: string[];
  /**
   * Steps that ran, and whose outcome is not known: from 1.7 on, containerd forgets it if it was away. In a
   * session, any containerd does if it dies while it starts one.
   */
  readonly forgotten: string[];
  /** Steps whose process was killed just before it started them, so that nobody knows whether it did. */
  readonly unknown: string[];
  /** Steps that could not be run, with the reason. */
  readonly errors: string[];
  readonly lostBytes: string[];
  readonly doubledBytes: string[];
  /** Logs of the right length with other bytes. */
  readonly otherBytes: string[];
  readonly ranTwice: string[];
  readonly neverRan: string[];
}

/** Compares what workers tell with what their steps are known to do. */
export interface Tally {
  readonly faults: SoakFaults;
  /** How many steps have a result. */
  readonly done: number;
  readonly recovered: number;
  readonly connected: number;
  isDone(name: string): boolean;
  /** @returns whether the line is a step's result or error. */
  take(line: WorkerLine): boolean;
  /** This step is not run again, and has no result. */
  giveUp(name: string): void;
}

export function createTally(numbered: readonly NumberedStep[]): Tally {
  const steps = new Map(numbered.map((step) => [step.name, step]));
  const faults: SoakFaults = {
    wrongCodes: [],
    forgotten: [],
    unknown: [],
    errors: [],
    lostBytes: [],
    doubledBytes: [],
    otherBytes: [],
    ranTwice: [],
    neverRan: [],
  };
  const done = new Map<string, string>();
  let recovered = 0;
  let connected = 0;

  function takeResult(name: string, exitCode: number | null, cause: string): void {
    const expected = steps.get(name)?.exitCode;
    // A process that was killed after it told a result has not released the step. The next one tells it, too.
    if (done.get(name) === cause && cause === "unknown") return;
    done.set(name, cause);
    if (cause === "unknown") faults.unknown.push(name);
    else if (exitCode !== expected || cause !== "exit")
      faults.wrongCodes.push(`${name}: ${exitCode} (${cause}), not ${expected}`);
  }

  function takeLog(name: string, bytes: number, sha256: string): void {
    const expected = steps.get(name)?.stdout;
    // A step that was still running when its shim was lost may not have printed everything.
    if (expected === undefined || done.get(name) !== "exit") return;
    const text = `${name}: ${bytes} of ${expected.bytes} bytes`;
    if (bytes < expected.bytes) faults.lostBytes.push(text);
    else if (bytes > expected.bytes) faults.doubledBytes.push(text);
    else if (sha256 !== expected.sha256) faults.otherBytes.push(name);
  }

  return {
    faults,
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
    giveUp: (name) => void done.set(name, "interrupted"),
    take(line) {
      switch (line.type) {
        case "result":
          takeResult(line.name, line.exitCode, line.cause);
          return true;
        case "error":
          done.set(line.name, "error");
          faults.errors.push(`${line.name}: ${line.kind}: ${line.message}`);
          return true;
        case "log":
          takeLog(line.name, line.bytes, line.sha256);
          return false;
        case "recovered":
          recovered++;
          return false;
        case "connected":
          connected++;
          return false;
        default:
          return false;
      }
    },
  };
}
