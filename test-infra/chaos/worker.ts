import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { NumberedStep } from "./numbered-step.js";

/** What a worker is told at its start. */
export interface WorkerSettings {
  readonly address: string;
  readonly namespace: string;
  readonly ioDir: string;
  /** The host directory in which each step leaves a line. */
  readonly ranDir: string;
  /** Of steps without a session. */
  readonly runId?: string;
  /** How often a waiting client asks whether the daemon is there, in milliseconds. */
  readonly keepAliveMs?: number;
}

export interface WorkerMemory {
  readonly residentBytes: number;
  /** What is in use on its heap, and outside of it in buffers, after a collection. */
  readonly heapBytes: number;
}

/** What a worker prints. */
export type WorkerLine =
  | { readonly type: "ready" }
  | { readonly type: "recovered"; readonly name: string }
  | { readonly type: "connected" }
  /** A recovered step whose process had not been started. */
  | { readonly type: "not-started"; readonly name: string }
  | { readonly type: "phase"; readonly name: string; readonly phase: string; readonly id: string }
  | {
      readonly type: "result";
      readonly name: string;
      readonly id: string;
      readonly exitCode: number | null;
      readonly cause: string;
      readonly isComplete: boolean | "unknown";
      /** A step of a soak prints nothing there. Who has failed does. */
      readonly stderr: string;
    }
  | { readonly type: "log"; readonly name: string; readonly bytes: number; readonly sha256: string }
  | {
      readonly type: "error";
      readonly name: string;
      readonly id: string;
      readonly kind?: string;
      readonly message: string;
    }
  /** The step is released, or what is left of it is tried again later. */
  | ({ readonly type: "closed"; readonly name: string } & WorkerMemory)
  | { readonly type: "end"; readonly unreleased: number };

/** A process that takes over the steps of dead ones, and then runs numbered steps. */
export interface Worker {
  readonly child: ChildProcess;
  /** Resolves with the exit code, or null for a worker that was killed, after its last line. */
  readonly ended: Promise<number | null>;
  start(step: NumberedStep): void;
  /** No more steps come. */
  finish(): void;
  kill(): void;
}

export function startWorker(
  script: URL,
  settings: WorkerSettings,
  onLine: (line: WorkerLine) => void,
): Worker {
  const path = fileURLToPath(script);
  const child = spawn(process.execPath, ["--expose-gc", path, JSON.stringify(settings)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  // It may have been killed.
  child.stdin.on("error", () => undefined);
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => onLine(JSON.parse(line) as WorkerLine));
  const closed = once(child, "close") as Promise<[number | null]>;
  return {
    child,
    ended: closed.then(([code]) => code),
    start: ({ name, run }) => void child.stdin.write(`${JSON.stringify({ name, run })}\n`),
    finish: () => child.stdin.end(),
    kill: () => void child.kill("SIGKILL"),
  };
}
