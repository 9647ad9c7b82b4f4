import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Client } from "@wfe-containerd/client";
import type { ExecutorOptions, StartOptions, StepInput, StepResult } from "@wfe-containerd/executor";

const SCRIPT = fileURLToPath(new URL("step-process.mjs", import.meta.url));

/** What such a process tells. `held`: a call that it will never make. */
export interface Said {
  readonly type: "started" | "held" | "result" | "error";
  readonly id: string;
  readonly result?: StepResult;
  readonly kind?: string;
  readonly message?: string;
}

export interface Start {
  readonly step: StepInput;
  readonly startOptions?: StartOptions;
  /** Whether it is opened as a session. */
  readonly isSession?: boolean;
}

/**
 * Kills the process just before or after a call. `instead`: the call is never made, and the process waits.
 */
export interface KillAt {
  readonly when: "before" | "after" | "instead";
  readonly call: string;
  readonly count?: number;
}

export interface StepProcess {
  readonly said: readonly Said[];
  readonly ended: Promise<unknown>;
  /** Resolves when so many lines of a type were said. */
  until(type: Said["type"], count: number): Promise<void>;
  kill(): Promise<void>;
}

export interface StepProcessOptions {
  readonly options: ExecutorOptions;
  readonly starts: readonly Start[];
  readonly killAt?: KillAt | undefined;
}

/** Starts an executor in a process of its own, which can be killed. */
export function startStepProcess({ address, namespace }: Client, options: StepProcessOptions): StepProcess {
  const argument = JSON.stringify({ address, namespace, ...options });
  const child = spawn(process.execPath, [SCRIPT, argument], { stdio: ["ignore", "pipe", "inherit"] });
  const said: Said[] = [];
  const waiting = new Set<() => void>();
  const lines = createInterface({ input: child.stdout });
  lines.on("line", (line) => {
    said.push(JSON.parse(line) as Said);
    for (const look of waiting) look();
  });
  const ended = once(child, "close");
  return {
    said,
    ended,
    async until(type, count) {
      const isThere = (): boolean => said.filter((line) => line.type === type).length >= count;
      if (isThere()) return;
      let look = (): void => undefined;
      const there = new Promise<void>((resolve) => {
        look = () => (isThere() ? resolve() : undefined);
      });
      waiting.add(look);
      await Promise.race([
        there,
        ended.then(() => {
          if (!isThere()) throw new Error(`the process ended with ${JSON.stringify(said)}`);
        }),
      ]);
      waiting.delete(look);
    },
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
