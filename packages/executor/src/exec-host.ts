import { randomBytes } from "node:crypto";
import { createDeferred } from "@wfe-containerd/client/internal";
import { ExecutorError } from "./error.js";
import { createFreezer, type Freezer } from "./process/freezer.js";
import type { HostContainer } from "./stages/create-exec.js";
import { startTimer } from "./timer.js";

/** A step as further processes in its container see it. */
export interface ExecHost {
  /** The step's id, when its process runs. */
  readonly stepId: string | undefined;
  /**
   * The step's process runs: from now on others can be added.
   *
   * @param exit resolves when it has ended. What else is asked then, before `end`, takes its time.
   */
  open(container: HostContainer, exit?: Promise<unknown>): void;
  /**
   * The step's process has ended, and with it all others. Waits until those are deleted: with the task, their
   * exit codes would be gone, too.
   */
  end(): Promise<void>;
  /** @throws ExecutorError `refused` before the step's process runs, and after it has ended. */
  enter(): HostContainer;
  /**
   * As `enter`, but also while somebody has paused the container.
   *
   * @throws ExecutorError `refused`.
   */
  look(): HostContainer;
  readonly freezer: Freezer;
  /**
   * Takes a name for the script and the secrets of a process, which no other one in the container has. One
   * that was given back is taken again: what has it stays in the container's files.
   */
  takeSlot(): { readonly slot: string; giveBack(): void };
  /** While it is set, no process can be added: somebody has paused the container. */
  isPaused: boolean;
  /** Counts a process that was added: `end` waits for it. */
  add(over: Promise<unknown>): void;
  /** Whether the step's process has ended, or ends within this time. In milliseconds. */
  endsWithin(timeMs: number): Promise<boolean>;
}

/** How long a step waits for processes in its container, in milliseconds. All of them were killed. */
const END_MS = 10_000;

/** @param name how errors name the step. */
export function createExecHost(name: string): ExecHost {
  const added = new Set<Promise<unknown>>();
  const ended = createDeferred<true>();
  let running: HostContainer | undefined;
  const numbers = new Set<number>();
  // Other processes of this machine, and of others, add processes to the same container.
  const tag = randomBytes(4).toString("hex");
  let isOver = false;
  const over = (): void => {
    isOver = true;
    ended.resolve(true);
  };
  return {
    get stepId() {
      return running?.plan.id;
    },
    freezer: createFreezer(tag),
    isPaused: false,
    takeSlot() {
      let number = 0;
      while (numbers.has(number)) number++;
      numbers.add(number);
      return { slot: `${tag}-${number}`, giveBack: () => void numbers.delete(number) };
    },
    open(container, exit) {
      running = container;
      void exit?.then(over, () => undefined);
    },
    async end() {
      over();
      const late = startTimer(END_MS);
      await Promise.race([Promise.allSettled(added), late.fired]);
      late.cancel();
    },
    enter() {
      const step = this.look();
      if (this.isPaused) throw refusal(`${name} is paused`, "a process after resume()");
      return step;
    },
    look() {
      if (isOver)
        throw refusal(
          `${name} has ended, and its container takes no more processes`,
          "a process while it runs",
        );
      if (running === undefined)
        throw refusal(
          `${name} does not run yet`,
          "a process after it has started; example: await handle.started",
        );
      return running;
    },
    add(over) {
      added.add(over);
      void over.finally(() => added.delete(over)).catch(() => undefined);
    },
    async endsWithin(timeMs) {
      const late = startTimer(timeMs);
      const isEnded = await Promise.race([ended.promise, late.fired.then(() => false)]);
      late.cancel();
      return isEnded;
    },
  };
}

function refusal(message: string, allowed: string): ExecutorError {
  return new ExecutorError(`${message}; allowed: ${allowed}`, {
    kind: "refused",
    issues: [{ field: "exec", message, allowed }],
  });
}
