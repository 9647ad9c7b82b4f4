import { refuse } from "../refuse.js";
import { describeOutage, describeRequest, describeRetry, describeRpc, describeTransfer } from "./lines.js";
import { observe } from "./observe.js";
import type { OperationObserver } from "./subscribe.js";

/** What writes log lines: `console`, and the loggers of pino and winston, as they are. */
export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
}

/** What lines are about. */
export type ClientTopic = "rpc" | "registry";

/**
 * Writes a line for each thing that the clients of this process do. `debug`: RPCs and requests to registries,
 * when they are over, and also when one has no answer after 5 seconds. `info`: pulls and pushes. `warn`:
 * retries, and a daemon that is away.
 *
 * @param logger `console`, or a logger of pino or winston.
 * @returns ends it.
 */
export function logTo(logger: Logger): () => void {
  const problem = findLoggerProblem(logger);
  if (problem !== undefined) refuse(problem);
  return logTopics(logger, ["rpc", "registry"]);
}

/** A logger that lacks a method would fail in the middle of the work. */
export function findLoggerProblem(logger: unknown): string | undefined {
  const methods: Partial<Record<keyof Logger, unknown>> = logger ?? {};
  const missing = (["debug", "info", "warn"] as const).find((name) => typeof methods[name] !== "function");
  if (missing === undefined) return undefined;
  return `logger: has no method ${missing}; allowed: console, a logger of pino or winston, or an object with debug, info and warn`;
}

export function logTopics(logger: Logger, topics: readonly ClientTopic[]): () => void {
  const isRpc = topics.includes("rpc");
  const isRegistry = topics.includes("registry");
  const rpcs = createSlowLog(logger, describeRpc);
  const requests = createSlowLog(logger, describeRequest);
  const stop = observe({
    ...(isRpc && {
      rpc: rpcs.observer,
      outage: {
        start: (message) => logger.warn(describeOutage(message)),
        end: (message) => logger.warn(describeOutage(message)),
      },
    }),
    ...(isRegistry && {
      registryRequest: requests.observer,
      transfer: {
        start: (message) => logger.info(describeTransfer(message)),
        end: (message) => logger.info(describeTransfer(message)),
      },
    }),
    retry: {
      start(message) {
        const { of } = message;
        if ((of === "rpc" && isRpc) || (of === "registry-request" && isRegistry))
          logger.warn(describeRetry(message));
      },
    },
  });
  return () => {
    stop();
    rpcs.stop();
    requests.stop();
  };
}

const SLOW_MS = 5_000;

/** A line when an operation is over. One that hangs has none, so there is one when it is slow, too. */
function createSlowLog<Message extends object>(logger: Logger, describe: (message: Message) => string) {
  const timers = new Map<object, NodeJS.Timeout>();
  const observer: OperationObserver<Message> = {
    start(message) {
      const tell = (): void => logger.debug(`${describe(message)}, no answer after ${SLOW_MS / 1000} s`);
      timers.set(message, setTimeout(tell, SLOW_MS).unref());
    },
    end(message) {
      clearTimeout(timers.get(message));
      timers.delete(message);
      logger.debug(describe(message));
    },
  };
  return {
    observer,
    stop() {
      for (const timer of timers.values()) clearTimeout(timer);
    },
  };
}
