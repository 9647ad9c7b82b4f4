import { type Logger, logTo as logClientsTo } from "@wfe-containerd/client";
import { describeRetry, findLoggerProblem } from "@wfe-containerd/client/internal";
import { ExecutorError } from "../error.js";
import { describeExec, describePhase, describeReap, describeRelease, describeStep } from "./lines.js";
import { observe } from "./observe.js";

/**
 * Writes a line for each thing that the executors and clients of this process do, until it is ended.
 *
 * - `debug`: phases, RPCs and requests to registries.
 * - `info`: steps, further processes, pulls, pushes, and what dead processes left and was removed.
 * - `warn`: steps that could not be run, retries, what could not be removed, and a daemon that is away.
 *
 * @param logger `console`, or a logger of pino or winston.
 * @returns ends it.
 * @example
 * ```ts
 * const stop = logTo(console);
 * ```
 */
export function logTo(logger: Logger): () => void {
  const problem = findLoggerProblem(logger);
  if (problem !== undefined) throw new ExecutorError(problem, { kind: "invalid-argument" });
  const stops = [logClientsTo(logger), logStepsTo(logger)];
  return () => {
    for (const stop of stops) stop();
  };
}

export function logStepsTo(logger: Logger): () => void {
  return observe({
    step: {
      start: (message) => logger.info(describeStep(message)),
      end(message) {
        if (message.errorKind === undefined) logger.info(describeStep(message));
        else logger.warn(describeStep(message));
      },
    },
    exec: {
      start: (message) => logger.info(describeExec(message)),
      end(message) {
        if (message.errorKind === undefined) logger.info(describeExec(message));
        else logger.warn(describeExec(message));
      },
    },
    retry: {
      start(message) {
        if (message.of === "step") logger.warn(describeRetry(message));
      },
    },
    phase: { end: (message) => logger.debug(describePhase(message)) },
    reap: {
      end(message) {
        const { removed, failed, errorKind } = message;
        if (failed.length > 0 || errorKind !== undefined) logger.warn(describeReap(message));
        else if (removed.length > 0) logger.info(describeReap(message));
        else logger.debug(describeReap(message));
      },
    },
    release: {
      end(message) {
        if (message.errorKind !== undefined || message.attempt > 1) logger.warn(describeRelease(message));
      },
    },
  });
}
