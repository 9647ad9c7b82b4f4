import { describeOutage, describeRequest, describeRetry, describeRpc, describeTransfer } from "./lines.js";
import { observe } from "./observe.js";

/** What writes log lines: `console`, and the loggers of pino and winston, as they are. */
export interface Logger {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
}

/** What lines are about. */
export type ClientTopic = "rpc" | "registry";

/**
 * Writes a line for each thing that the clients of this process do. `debug`: RPCs and requests to registries.
 * `info`: pulls and pushes. `warn`: retries, and a daemon that is away.
 *
 * @returns ends it.
 */
export function logTo(logger: Logger): () => void {
  return logTopics(logger, ["rpc", "registry"]);
}

export function logTopics(logger: Logger, topics: readonly ClientTopic[]): () => void {
  const isRpc = topics.includes("rpc");
  const isRegistry = topics.includes("registry");
  return observe({
    ...(isRpc && {
      rpc: { end: (message) => logger.debug(describeRpc(message)) },
      outage: {
        start: (message) => logger.warn(describeOutage(message)),
        end: (message) => logger.warn(describeOutage(message)),
      },
    }),
    ...(isRegistry && {
      registryRequest: { end: (message) => logger.debug(describeRequest(message)) },
      transfer: {
        start: (message) => logger.info(describeTransfer(message)),
        end: (message) => logger.info(describeTransfer(message)),
      },
    }),
    retry: {
      start(message) {
        if (message.of === "rpc" ? isRpc : isRegistry) logger.warn(describeRetry(message));
      },
    },
  });
}
